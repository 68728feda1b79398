import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** keeptyping as it runs, in this process, on the embedded Redis or, with TEST_REDIS=private, on a redis-server. */
const e2e = [
  'test/e2e/{evidence,identities,notices,nxcloud}.test.ts',
  'test/console/console.test.ts',
  'test/demo/{open,page}.test.ts',
  'test/doctor/running.test.ts',
  'test/recipes/webhook.test.ts',
  'test/tracing/tracing.test.ts',
  'test/wiring/metrics.test.ts',
];

/** What talks to a Redis, in this process. */
const redis = [
  'test/{bot-queue,contract,journal,redis,replies,typing,wiring}/**',
  'test/accounts/records.test.ts',
  'test/doctor/{doctor,records}.test.ts',
  'test/gateway/watch.test.ts',
];

/** What needs other processes or one of its own, and the crowds and fleets, which need a calm machine: `npm run test:all`. */
const slow = [
  'test/bench/peers.test.ts',
  'test/browser/**',
  'test/chaos/{kills,misconfigured,redis,shards,start}.test.ts',
  'test/e2e/{accounts,component,isolation,outage,wechat}.test.ts',
  'test/client/{package,process}.test.ts',
  'test/recipes/{gateway,packed,stage}.test.ts',
  'test/redis/{address,by-itself}.test.ts',
  'test/rules/lint.test.ts',
  'test/tracing/unloaded.test.ts',
];

interface Part {
  of: string[];
  but: string[];
  maxWorkers: number;
  /** Of the projects, which run one after the other. */
  groupOrder: number;
  isolate: boolean;
}

function project(
  name: string,
  { of, but, maxWorkers, groupOrder, isolate }: Part,
): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: of.map((files) => files.replace(/\*\*$/, '**/*.test.ts')),
      exclude: but,
      maxWorkers,
      isolate,
      sequence: { groupOrder },
    },
  };
}

/** One after the other: what computes, what mostly waits, with more workers than cores, and alone what counts on its time. */
export default defineConfig({
  // By this name the console's page asks its server for them.
  resolve: { alias: { './sentences.js': fileURLToPath(new URL('src/core/chinese.ts', import.meta.url)) } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes when the machine has time for it.
    expect: { poll: { timeout: 30_000, interval: 20 } },
    pool: 'threads',
    projects: [
      project('unit', {
        of: ['test/**'],
        but: [...redis, ...e2e, ...slow],
        maxWorkers: 2,
        groupOrder: 0,
        isolate: false,
      }),
      project('redis', { of: redis, but: [...e2e, ...slow], maxWorkers: 6, groupOrder: 1, isolate: false }),
      project('e2e', { of: e2e, but: [], maxWorkers: 2, groupOrder: 2, isolate: false }),
      project('slow', { of: slow, but: [], maxWorkers: 1, groupOrder: 3, isolate: true }),
    ],
  },
});
