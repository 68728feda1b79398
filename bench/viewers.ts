import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type Conversation, conversationOf } from '../src/core/platform.ts';
import { initialState, type State } from '../src/core/state.ts';
import { step } from '../src/core/step.ts';
import { createJournal } from '../src/journal/journal.ts';
import { createStore } from '../src/typing/store.ts';
import { wechatRules } from '../src/wechat/rules.ts';
import { recordLog } from '../test/support/log.ts';
import { percent, type Row, wait } from './measure.ts';
import type { BenchRedis } from './redis.ts';
import { oneShard } from '../src/redis/shards.ts';

const open = 1_000;
/** As many renewals as so many indicators of 15 s take in a second. */
const renewedPerSecond = Math.round(open / 15);
const measuredMs = 10_000;
/** A page is whole, and the code is warm, after so long. */
const settleMs = 3_000;

/**
 * What the console costs: a web process beside 1,000 conversations in which somebody waits, each renewed every 15 s and
 * each renewal in the journal, watched by some.
 */
export async function viewers({ url, redis }: BenchRedis): Promise<Row[]> {
  const site = await openWeb(url);
  const stop = await openConversations(redis);
  const rows: Row[] = [];
  const alone = await measure(site, 0);
  for (const count of [1, 10, 50]) {
    const { cpu, bytes } = await measure(site, count);
    const added = cpu - alone.cpu;
    rows.push({
      what: `console: ${count} viewer${count === 1 ? '' : 's'} of ${open} open conversations, ${renewedPerSecond} of them changing a second`,
      values: { 'of one core': percent(added), 'a second to each': { value: bytes / 1_000, unit: 'kB' } },
      goal: {
        says: '≤ 10 %, ≤ 64 kB',
        met: (of) => of('of one core') <= 10 && of('a second to each') <= 64,
      },
    });
  }
  await stop();
  site.child.kill('SIGKILL');
  return rows;
}

interface Site {
  child: ChildProcess;
  port: number;
}

const token = 'control-token-of-the-bench';

async function openWeb(redisUrl: string): Promise<Site> {
  const env = {
    PATH: process.env['PATH'],
    REDIS_URL: redisUrl,
    PORT: '0',
    HOST: '127.0.0.1',
    CONTROL_TOKEN: token,
    WECHAT_APP_ID: 'wx-of-the-bench',
    WECHAT_APP_SECRET: 'secret-of-the-bench',
    WECHAT_TOKEN: 'token-of-the-bench',
  };
  const child = fork(new URL('./viewers-server.ts', import.meta.url), { execArgv: ['--import', 'tsx'], env });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

/** Real states, made by the machine itself; resolves with what stops their renewing. */
async function openConversations(redis: BenchRedis['redis']): Promise<() => Promise<void>> {
  const store = createStore(oneShard(redis));
  const clock = { now: () => Date.now() };
  const journal = createJournal({ redis, clock, log: recordLog(), length: 20_000, by: 'bench' });
  const account = { channel: 'wechat', account: 'default' } as const;
  const renew = async (conversation: Conversation): Promise<void> => {
    const { raw, state } = await store.load(conversation);
    const to = shown(state, conversation.user);
    await store.save(conversation, { from: raw, to, wakeAt: null, keepMs: 600_000 });
    const call = { kind: 'show', outcome: 'done', code: 0, remedy: null, ms: 80 } as const;
    journal.observe({ is: 'call', at: clock.now(), ...conversation, ...call });
  };
  const users = Array.from({ length: open }, (_, n) =>
    conversationOf(account, `oViewersOfTheBench_${n}_abc`),
  );
  for (const conversation of users) await renew(conversation);
  let next = 0;
  const renewing = setInterval(() => {
    const conversation = users[next % open];
    next += 1;
    if (conversation) void renew(conversation);
  }, 1_000 / renewedPerSecond);
  return async () => {
    clearInterval(renewing);
    await journal.close();
  };
}

/** The user writes, unless somebody waits already, and the platform accepts an indicator. */
function shown(known: State, user: string): State {
  const at = Date.now();
  const by = 'bench';
  const message = { turn: `${user}-24180351648420683`, messageId: null, sentAt: 0 };
  const inbound = {
    is: 'inbound',
    ...message,
    opensTurn: true,
    interaction: true,
    phase: 'working',
    at,
  } as const;
  const written =
    known.turns.length > 0 ? known : step(wechatRules, initialState, { event: inbound, by }).state;
  const indicator = { is: 'lit', since: at, until: at + wechatRules.lifetime } as const;
  return { ...written, call: null, indicator, lastInteractionAt: at, n: written.n + 1 };
}

/** Share of one core, and bytes a second to each viewer. */
async function measure(site: Site, count: number): Promise<{ cpu: number; bytes: number }> {
  let bytes = 0;
  const pages = await Promise.all(
    Array.from({ length: count }, () => watch(site, (size) => (bytes += size))),
  );
  await wait(settleMs);
  const [before, began] = [await cpuOf(site), performance.now()];
  bytes = 0;
  await wait(measuredMs);
  const took = performance.now() - began;
  const received = bytes;
  const cpu = ((await cpuOf(site)) - before) / took;
  for (const page of pages) page.destroy();
  await wait(500);
  return { cpu, bytes: count === 0 ? 0 : received / count / (took / 1000) };
}

async function watch({ port }: Site, took: (size: number) => void): Promise<IncomingMessage> {
  const page = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    get({ port, host: '127.0.0.1', path: '/console/api/events', agent: false, headers }, resolve).once(
      'error',
      reject,
    );
  });
  page.on('error', () => {}); // Ours is the side that hangs up.
  page.on('data', (chunk: Buffer) => took(chunk.length));
  return page;
}

/** ms. */
async function cpuOf({ child }: Site): Promise<number> {
  child.send('cpu');
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: NodeJS.CpuUsage }];
  return (cpu.user + cpu.system) / 1000;
}
