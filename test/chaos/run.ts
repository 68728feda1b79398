/** One run: opens a fleet, lets the users write while things go wrong, waits until all is quiet, and records it. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { BotOptions } from '../../src/simulator/index.ts';
import { type Fleet, type FleetOptions, lifetimes, limits, openFleet } from './fleet.ts';
import { judge } from './judge.ts';
import { type Message, type Plan, shardsOn, type Target } from './plan.ts';
import type { Verdict } from './promises.ts';
import { answerTo, type Pushed, type Record, type Struck } from './record.ts';
import { carryOut } from './strikes.ts';

export interface Ran {
  record: Record;
  verdict: Verdict;
  /** Where the processes' logs and the record are; they are kept only where something is broken. */
  folder: string;
  /** What the newest process of that name has logged. */
  outputOf: (name: Target) => string;
}

export interface RunOptions {
  releaseOf?: FleetOptions['releaseOf'];
  settingsOf?: FleetOptions['settingsOf'];
  /** So many are looked into in the end. @default as many as there are on that ground */
  shards?: number;
  /** From when on the message's time counts (ms since 1970). @default the start */
  begins?: (message: Message, startedAt: number) => Promise<number>;
  /** What has not been written by then never is. @default all is */
  ends?: Promise<void>;
  /** What else happens meanwhile: nothing that would excuse anything. */
  meanwhile?: (fleet: Fleet, startedAt: number) => Promise<void>;
}

export async function run(plan: Plan, options: RunOptions = {}): Promise<Ran> {
  const { releaseOf, settingsOf } = options;
  const { ground, clocksApart } = plan;
  const fleet = await openFleet({ ground, bot: botFor(plan), clocksApart, releaseOf, settingsOf });
  try {
    const record = await observe(fleet, plan, options);
    const verdict = judge(record);
    await writeFile(join(fleet.folder, 'record.json'), JSON.stringify(record));
    const outputOf = (name: Target): string => fleet.member(name).child.output();
    return { record, verdict, folder: fleet.folder, outputOf };
  } finally {
    await fleet.close();
  }
}

export async function forget({ folder }: Ran): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

function botFor({ messages }: Plan): BotOptions {
  const byText = new Map(messages.map((message) => [message.text, message]));
  const styles = new Map(messages.map(({ user, style }) => [user, style]));
  return {
    thinkMs: (text) => byText.get(text)?.thinkMs ?? 0,
    style: (user) => (styles.get(user) === 'answers' ? 'passive' : 'api'),
    once: true,
    answer: answerTo,
  };
}

async function observe(
  fleet: Fleet,
  plan: Plan,
  { shards = shardsOn[plan.ground], meanwhile = async () => {}, ...traffic }: RunOptions,
): Promise<Record> {
  const startedAt = Date.now();
  const struck: Struck[] = [];
  const still = monitorEventLoopDelay({ resolution: 10 });
  still.enable();
  const sent = plan.messages.map((message) => push(fleet, message, { startedAt, ...traffic }));
  await Promise.all([carryOut(fleet, plan.strikes, { startedAt, struck }), meanwhile(fleet, startedAt)]);
  const pushes = (await Promise.all(sent)).flat();
  const left = await untilQuiet(fleet, shards);
  await fleet.shutDown();
  const users = [...new Map(plan.messages.map((each) => [each.user, each])).values()];
  return {
    startedAt,
    calm: plan.strikes.length === 0,
    lifetimes,
    cap: limits.cap,
    pushes,
    asked: askedOf(fleet, plan),
    sent: [...fleet.bot.sends],
    marks: users.flatMap(({ channel, user }) => fleet.simulator[channel].phone(user).marks),
    calls: callsOf(fleet),
    struck,
    exits: fleet.exits,
    left,
    stoodStill: Math.round(still.max / 1e6),
  };
}

async function push(
  { simulator }: Fleet,
  message: Message,
  how: { startedAt: number } & Pick<RunOptions, 'begins' | 'ends'>,
): Promise<Pushed[]> {
  const { startedAt, begins = async () => startedAt, ends } = how;
  const { channel, user, text, style } = message;
  const from = await begins(message, startedAt);
  const due = wait(Math.max(0, from + message.at - Date.now()), true, { ref: false });
  if (!(await Promise.race([due, ...(ends ? [ends.then(() => false)] : [])]))) return [];
  const at = Date.now();
  const { deliveries } = await simulator[channel].push({ user, text });
  return [{ channel, user, text, style, at, statuses: deliveries.map(({ status }) => status) }];
}

function askedOf({ bot }: Fleet, { messages }: Plan): Record['asked'] {
  const texts = new Set(messages.map(({ text }) => text));
  return bot.calls.flatMap(({ at, answeredAt, goneAt, hungUp, broken, attempt, body }) => {
    const text = /(?:oUser_|86138000000)\d\d-\d+/.exec(body.toString())?.[0] ?? '';
    const asked = { text, at, endedAt: answeredAt ?? goneAt, hungUp, attempt };
    return texts.has(text) ? [{ ...asked, broken: broken === null ? null : String(broken) }] : [];
  });
}

function callsOf({ simulator }: Fleet): Record['calls'] {
  return (['wechat', 'nxcloud'] as const).flatMap((channel) =>
    simulator[channel].calls.map(({ user, command, at, endedAt, code, text, fault }) => {
      const words = fault === null ? null : JSON.stringify(fault);
      return { channel, user, command, at, endedAt, code, text, fault: words };
    }),
  );
}

/** Quiet for so long (ms) is quiet for good… */
const quietFor = 1_500;
/** …and what is not quiet after this is left behind. */
const patience = 50_000;

async function untilQuiet(fleet: Fleet, count: number): Promise<Record['left']> {
  const shards = fleet.redis.connect(count);
  const queues = shards.flatMap(({ redis, keys }) =>
    ['typing', 'replies'].map((name) => new Queue(name, { connection: redis, prefix: keys.prefix })),
  );
  const giveUpAt = Date.now() + patience;
  let busyAt = Date.now();
  let jobs: string[] = [];
  while (Date.now() < giveUpAt && Date.now() - busyAt < quietFor) {
    await wait(250);
    jobs = (await Promise.all(queues.map(jobsOf))).flat();
    // What a dead web was working on is a worker's when its lease has run out.
    const insured = await Promise.all(shards.map(({ redis, keys }) => redis.zcard(keys.insured)));
    if (jobs.length > 0 || insured.some((count) => count > 0) || isBusy(fleet)) busyAt = Date.now();
  }
  // A node of a Cluster may have several shards.
  const keys = new Set((await Promise.all(shards.map(({ redis }) => keysForEver(redis)))).flat());
  const failed = (await Promise.all(queues.map(failedOf))).flat();
  await Promise.all(queues.map((queue) => queue.close()));
  for (const { redis } of shards) redis.disconnect();
  return { jobs, keys: [...keys], failed };
}

async function jobsOf(queue: Queue): Promise<string[]> {
  const jobs = await queue.getJobs(['active', 'waiting', 'delayed', 'prioritized']);
  return jobs.map((job) => `${queue.name}: ${JSON.stringify(job?.data ?? null).slice(0, 200)}`);
}

/** By their keys. */
async function failedOf(queue: Queue): Promise<string[]> {
  const failed = await queue.getJobs(['failed']);
  return failed.map((job) => queue.toKey(String(job?.id)));
}

function isBusy({ bot, simulator }: Fleet): boolean {
  return (
    bot.calls.some(({ answeredAt, goneAt }) => (answeredAt ?? goneAt) === null) ||
    [...simulator.wechat.calls, ...simulator.nxcloud.calls].some(({ endedAt }) => endedAt === null)
  );
}

async function keysForEver(redis: Redis): Promise<string[]> {
  const keys = await redis.keys('*');
  const lives = await Promise.all(keys.map((key) => redis.pttl(key)));
  return keys.filter((_, index) => lives[index] === -1);
}
