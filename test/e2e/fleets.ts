/**
 * `npm run fleets` (after `npm run build`): the end-to-end tests on each kind of Redis that keeptyping runs on, a line a
 * kind. It starts them all itself, with the redis-server that PATH names.
 *
 *     -- KIND …     only these: embedded, private, shards, several, cluster, sentinel, valkey, valkey-cluster
 *     --quick       without those that start processes or are slow
 *
 * For Valkey, TEST_VALKEY names a valkey-server, or PATH has one. A kind that cannot be had here is left out, which is
 * said; one that was asked for by name has to be there.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';

/** As TEST_REDIS names it, and with whose server. */
const kinds = {
  embedded: { redis: 'embedded', server: null },
  private: { redis: 'private', server: 'redis' },
  shards: { redis: 'shards', server: 'redis' },
  several: { redis: 'several', server: 'redis' },
  cluster: { redis: 'cluster', server: 'redis' },
  sentinel: { redis: 'sentinel', server: 'redis' },
  valkey: { redis: 'private', server: 'valkey' },
  'valkey-cluster': { redis: 'cluster', server: 'valkey' },
} as const;
type Kind = keyof typeof kinds;

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const named = positionals.map((name) => {
  const kind = (Object.keys(kinds) as Kind[]).find((each) => each === name);
  if (kind === undefined) throw new Error(`${name} is no kind: it may be ${Object.keys(kinds).join(', ')}.`);
  return kind;
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** In-process, then with processes. */
const parts = [
  ['--project', 'e2e'],
  ...(values.quick ? [] : [['--project', 'slow', 'test/e2e/', 'test/chaos/kills']]),
];

interface Result {
  passed: number;
  failed: string[];
}

/** One run of vitest. */
async function test(words: readonly string[], env: Record<string, string>, folder: string): Promise<Result> {
  const report = join(folder, 'report.json');
  const all = ['vitest', 'run', ...words, '--reporter=json', `--outputFile=${report}`];
  const child = spawn('npx', all, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  await writeFile(join(folder, `${words.join(' ').replaceAll(/\W+/g, '-')}.log`), output);
  const text = await readFile(report, 'utf8').catch(() => null);
  await rm(report, { force: true });
  if (text === null) return { passed: 0, failed: [`vitest ${words.join(' ')} said nothing`] };
  const { testResults } = JSON.parse(text) as { testResults: TestFile[] };
  const tests = testResults.flatMap(({ name, message, assertionResults }) => [
    ...assertionResults.map(({ status, fullName, failureMessages }) => ({
      status,
      words: `${name.replace(`${process.cwd()}/`, '')}: ${fullName}: ${failureMessages[0]?.split('\n')[0] ?? ''}`,
    })),
    // A file that could not be loaded.
    ...(assertionResults.length === 0 ? [{ status: 'failed', words: `${name}: ${message}` }] : []),
  ]);
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: tests.filter(({ status }) => status === 'failed').map((each) => each.words),
  };
}

interface TestFile {
  name: string;
  message: string;
  assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
}

/** A PATH on which that server is the first; null: there is none. */
async function pathTo(server: 'redis' | 'valkey' | null, folder: string): Promise<string | null> {
  const path = process.env['PATH'] ?? '';
  if (server === null) return path;
  const name = `${server}-server`;
  const given = server === 'valkey' ? process.env['TEST_VALKEY'] : undefined;
  const found = given ?? (await findOn(path, name));
  if (found === null) return null;
  await symlink(found, join(folder, name));
  return `${folder}${delimiter}${path}`;
}

async function findOn(path: string, name: string): Promise<string | null> {
  for (const place of path.split(delimiter).filter(Boolean)) {
    const file = join(place, name);
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return null;
}

/** Whether all is well. */
async function play(kind: Kind): Promise<boolean> {
  const { redis, server } = kinds[kind];
  const folder = await mkdtemp(join(tmpdir(), `keeptyping-fleets-${kind}-`));
  const path = await pathTo(server, folder);
  const label = kind.padEnd(15);
  if (path === null) {
    say(
      `${label} left out: no ${server}-server on PATH${server === 'valkey' ? ', and TEST_VALKEY names none' : ''}`,
    );
    await rm(folder, { recursive: true });
    return !named.includes(kind);
  }
  const began = performance.now();
  const env = { PATH: path, TEST_REDIS: redis };
  const results: Result[] = [];
  for (const words of parts) results.push(await test(words, env, folder));
  const passed = results.reduce((sum, each) => sum + each.passed, 0);
  const failed = results.flatMap((each) => each.failed);
  const took = Math.round((performance.now() - began) / 1000);
  const count = failed.length === 0 ? `${passed} passed` : `${failed.length} FAILED, ${passed} passed`;
  say(`${label} ${count} in ${took} s`);
  for (const each of failed) say(`  ${each}`);
  if (failed.length === 0) await rm(folder, { recursive: true });
  else say(`  output: ${folder}`);
  return failed.length === 0 && passed > 0;
}

for (const kind of named.length > 0 ? named : (Object.keys(kinds) as Kind[]))
  if (!(await play(kind))) process.exitCode = 1;
