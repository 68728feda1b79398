import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keys, prefixOf, queueNames } from '../../src/redis/keys.ts';

const home = join('src', 'redis', 'keys.ts');
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((path) => join('src', path))
  .filter((path) => /\.[jt]s$/.test(path) && path !== home);

test('no key stands anywhere else', () => {
  expect(sources.length).toBeGreaterThan(100);
  const strays = sources.filter((path) => readFileSync(path, 'utf8').includes(prefixOf(0)));
  expect(strays).toEqual([]);
});

test('a key is made of the prefix here only, but for the queues', () => {
  const users = sources.filter((path) =>
    /\bkeys\.prefix\b|\{ prefix \}: Keys|\bprefixOf\b/.test(readFileSync(path, 'utf8')),
  );
  // BullMQ makes its queues' keys itself, and a user of Redis is told which keys to be given.
  expect(users.toSorted()).toEqual(['src/doctor/redis.ts', 'src/redis/commands.ts', 'src/wiring/workers.ts']);
});

test('the names are those that other releases know: two of them share a Redis while one replaces the other', () => {
  const { botQueue, prefix: _, ...others } = keys;
  const named = Object.entries({ ...others, ...botQueue }).map(([name, key]) => [
    name,
    typeof key === 'string' ? key : key('a', 'b'),
  ]);
  expect(Object.fromEntries(named)).toEqual({
    waitingJobs: '{keeptyping}:a:wait',
    activeJobs: '{keeptyping}:a:active',
    state: '{keeptyping}:state:a',
    last: '{keeptyping}:last:a',
    open: '{keeptyping}:open',
    wakes: '{keeptyping}:wakes',
    message: '{keeptyping}:message:a',
    delivery: '{keeptyping}:delivery:a',
    insured: '{keeptyping}:insured',
    accounts: '{keeptyping}:accounts',
    accountRecords: '{keeptyping}:account-records',
    accountRevision: '{keeptyping}:account-records:revision',
    component: '{keeptyping}:component:a',
    assured: '{keeptyping}:assured',
    seen: '{keeptyping}:seen',
    shards: '{keeptyping}:shards',
    journal: '{keeptyping}:journal',
    secret: '{keeptyping}:secret:a',
    cache: '{keeptyping}:cache:a',
    cacheLock: '{keeptyping}:cache:lock:a',
    heartbeat: '{keeptyping}:worker',
    probe: '{keeptyping}:probe',
    web: '{keeptyping}:web:a',
    leader: '{keeptyping}:bot-queue:leader',
    cursor: '{keeptyping}:bot-queue:cursor:a',
    job: '{keeptyping}:bot-queue:job:a:b',
  });
  expect(queueNames).toEqual({ typing: 'typing', replies: 'replies' });
});
