/** Conversations over several shards, with real processes: their number changes, and one of several Redis is away. */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { conversationId } from '../../src/core/platform.ts';
import { findServer } from '../../src/redis/by-itself.ts';
import { keys, keysOf, queueNames } from '../../src/redis/keys.ts';
import { layoutAt, shardOf } from '../../src/redis/shards.ts';
import { deferred } from '../support/queue-fakes.ts';
import { startRedis } from '../support/redis.ts';
import { until } from '../support/redis-fleets.ts';
import type { Fleet } from './fleet.ts';
import { judge } from './judge.ts';
import { type Message, planOf, type Strike, type Target } from './plan.ts';
import type { Record } from './record.ts';
import { openBoth, openSite } from './processes.ts';
import { lineOf } from './report.ts';
import { forget, type Ran, run } from './run.ts';

const binary = await findServer(process.env['PATH'] ?? '');

/** What was broken, in words; a run in which nothing was leaves nothing behind. */
async function brokenIn(ran: Ran, judged: Record = ran.record): Promise<string[]> {
  const broken = judge(judged).broken.map((finding) => lineOf({ record: judged }, finding));
  if (broken.length === 0) await forget(ran);
  return broken;
}

const first: readonly Target[] = ['worker-1', 'worker-2', 'web-1', 'web-2'];
const second: readonly Target[] = ['worker-3', 'worker-4', 'web-3', 'web-4'];

/** A deploy: all that come are there before any that was leaves. */
async function deploy(fleet: Fleet, come: readonly Target[], leave: readonly Target[]): Promise<void> {
  for (const name of come) await fleet.launch(name);
  for (const name of leave) await fleet.order(fleet.member(name), 'SIGTERM');
}

/** Resolves when so many shards are in force, with when that began (ms). */
async function inForce(fleet: Fleet, shards: number): Promise<number> {
  const [home] = fleet.redis.connect(1);
  if (!home) throw new Error('There is no first shard.');
  const { redis } = home;
  let since = Infinity;
  await until(async () => {
    const stands = await layoutAt(redis, Date.now());
    if (stands?.shards !== shards || stands.next) return false;
    ({ since } = z.object({ since: z.number() }).parse(JSON.parse((await redis.get(keys.shards)) ?? '')));
    return true;
  });
  redis.disconnect();
  return since;
}

/** How many jobs have been made there so far. */
async function jobsIn(fleet: Fleet, shards: readonly number[]): Promise<number[]> {
  const [home] = fleet.redis.connect(1);
  const names = shards.map((shard) => `${keysOf(shard).prefix}:${queueNames.typing}:id`);
  const all = ((await home?.redis.mget(names)) ?? []).map(Number);
  home?.redis.disconnect();
  return all;
}

/** The longest that the bot thinks (ms). */
const slowestAnswer = 20_000;

const third = ({ user }: Message): number => Number(user.slice(-2)) % 3;

describe.runIf(binary !== null)('SHARDS', () => {
  test(
    'changes from 1 to 3 and back while users write: nothing that is open moves',
    { timeout: 600_000 },
    async () => {
      const changes: number[] = [];
      const jobs: number[][] = [];
      const [three, one, over] = [deferred(), deferred(), deferred()];
      // A third writes all the time, a third begins after each change: who is known stays where its state is.
      const plan = planOf({ seed: 1, seconds: 300, only: [] });
      const messages = plan.messages.filter((message) => third(message) === 0 || message.at < 12_000);
      const ran = await run(
        { ...plan, messages },
        {
          shards: 3,
          settingsOf: (name) => ({ SHARDS: second.includes(name) ? '3' : '1' }),
          begins: async (message, startedAt) => {
            if (third(message) === 0) return startedAt;
            await (third(message) === 1 ? three : one).promise;
            return changes[third(message) - 1] ?? 0;
          },
          ends: over.promise,
          meanwhile: async (fleet) => {
            await wait(5_000);
            await deploy(fleet, second, first);
            changes.push(await inForce(fleet, 3));
            three.resolve();
            await wait(12_000);
            jobs.push(await jobsIn(fleet, [1, 2]));
            await deploy(fleet, first, second);
            changes.push(await inForce(fleet, 1));
            jobs.push(await jobsIn(fleet, [1, 2]));
            one.resolve();
            await wait(13_000);
            over.resolve();
            jobs.push(await jobsIn(fleet, [1, 2]));
            // A bot that has acknowledged a message sends its answer as late as this.
            await wait(slowestAnswer);
          },
        },
      );
      // Typing may be late on a busy machine: what is promised of a calm one is not asked for.
      expect(await brokenIn(ran, { ...ran.record, calm: false })).toEqual([]);
      // It would prove nothing if no turn had been open at the changes, or none had been elsewhere.
      for (const at of changes) expect(openAt(ran.record, at).length).toBeGreaterThan(1);
      for (const count of jobs[0] ?? [0]) expect(count).toBeGreaterThan(0);
      expect(jobs[2]).toEqual(jobs[1]);
    },
  );
});

/** The messages that had come and were not answered. */
function openAt({ pushes, asked }: Record, at: number): string[] {
  const open = asked.filter((call) => call.at < at && (call.endedAt ?? 0) > at).map(({ text }) => text);
  return pushes.filter(({ text }) => open.includes(text)).map(({ text }) => text);
}

describe.runIf(binary !== null)('one Redis of several', () => {
  test.each<[string, Strike & { shard: number }]>([
    ['is frozen', { kind: 'redis-freeze', ms: 8_000, shard: 2 }],
    ['is dead, the first', { kind: 'redis-kill', downMs: 8_000, shard: 0 }],
  ])('%s: the messages of the others do not notice', { timeout: 180_000 }, async (_, strike) => {
    const plan = planOf({ seed: 1, seconds: 20, only: [], ground: 'several' });
    const ran = await run({ ...plan, strikes: [{ at: 6_000, strike }] });
    const { record } = ran;
    const isHit = (channel: 'wechat' | 'nxcloud', user: string): boolean =>
      shardOf(conversationId({ channel, account: 'default', user }), 3) === strike.shard;
    const hit = record.pushes.filter(({ channel, user }) => isHit(channel, user));
    const others = record.pushes.filter(({ channel, user }) => !isHit(channel, user));
    const away = record.struck[0];
    const during = ({ at }: { at: number }) => away !== undefined && at >= away.from && at < away.to;
    expect([hit.filter(during).length > 5, others.filter(during).length > 10]).toEqual([true, true]);
    // As if nothing had happened: typing, and no excuse.
    const users = new Set(others.map(({ user }) => user));
    const ofOthers = {
      ...record,
      calm: true,
      struck: [],
      pushes: others,
      calls: record.calls.filter(({ user }) => user !== null && users.has(user)),
    };
    expect(await brokenIn(ran, ofOthers)).toEqual([]);
    expect(await brokenIn(ran)).toEqual([]);
    // Those of its shard are answered all the same.
    const answered = new Set(
      record.marks.filter(({ what }) => what === 'received').map(({ detail }) => detail),
    );
    expect(hit.filter(({ text }) => !answered.has(`echo: ${text}`))).toEqual([]);
  });
});

/** Users of the second shard of two: who is known already stays where they are. */
function* ofSecondShard(): Generator<string, never> {
  for (let n = 0; ; n += 1)
    if (shardOf(conversationId({ channel: 'wechat', account: 'default', user: `oUser_${n}` }), 2) === 1)
      yield `oUser_${n}`;
}

describe.runIf(binary !== null)('SHARDS that is raised where each shard has its own Redis', () => {
  const env = {
    HOLD_MS: '400',
    WECHAT_RULES: JSON.stringify({ lifetime: 1_500, window: 60_000, renewMargin: 40 }),
  };
  const thinkMs = 6_000;

  test(
    'a web that is stopped soon after gives the answers that it owes there, each once',
    { timeout: 120_000 },
    async () => {
      const both = [await startRedis('private'), await startRedis('private')];
      const [home, second] = both.map((each) => each.connect());
      const urls = both.map(({ url }) => url);
      const site = await openSite({
        redisUrl: urls[0] ?? '',
        env: { ...env, REDIS_URLS: urls.join(','), SHARDS: '1' },
        bot: { thinkMs: (text) => (text === 'hi' ? thinkMs : 0) },
      });
      onTestFinished(async () => {
        await site.close();
        await Promise.all(both.map((each) => each.stop()));
      });
      const { web } = await openBoth(site);
      // As the next release says it.
      const before = [{ shards: 1, until: Date.now() + 3_600_000 }];
      await home?.set(keys.shards, JSON.stringify({ v: 1, shards: 2, since: Date.now(), before }));
      const users = ofSecondShard();
      const isThere = async (): Promise<boolean> => {
        const user = users.next().value;
        await site.simulator.wechat.push({ user, text: 'hello' });
        return (await second?.exists(keysOf(1).last(`wechat/default/${user}`))) === 1;
      };
      await expect.poll(isThere, { timeout: 30_000, interval: 500 }).toBe(true);
      const user = users.next().value;
      const phone = site.simulator.wechat.phone(user);
      const calls = site.bot.calls.length;
      const pushed = site.simulator.wechat.push({ user, text: 'hi' });
      await site.bot.call(calls + 1);
      web.signal('SIGTERM');
      await Promise.all([pushed, web.exit]);
      // What is insured there is a worker's to take over.
      await expect.poll(() => second?.zcard(keysOf(1).insured), { timeout: 40_000 }).toBe(0);
      expect(phone.marks.filter(({ detail }) => detail === 'echo: hi')).toHaveLength(1);
      expect(site.bot.calls).toHaveLength(calls + 1);
    },
  );
});
