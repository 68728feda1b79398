/**
 * What stands between two that could speak directly: the time that it adds, beside two proxies which do nothing else. One
 * call at a time, all ways in turns.
 */
import { join } from 'node:path';
import { startServer } from './child.ts';
import { installed } from './install.ts';
import { latencies, ms, now, type Row, wait } from './measure.ts';
import { bytesOf, type Push, pushOf } from './pushes.ts';
import type { BenchRedis } from './redis.ts';
import { openTurns, startWeb, type TurnsSite } from './turns-site.ts';
import { createWire, type Wire } from './wire.ts';

const proxies = ['http-proxy-3', '@fastify/http-proxy'] as const;
const calls = 250;
/** The first ones open connections and warm the code up. */
const warmUp = 100;
/** What a call has set going at keeptyping is over by then (ms). */
const settleMs = 3;

/** Indicators that need no renewal, and users who may be sent any number of messages. */
const rules = JSON.stringify({ lifetime: 600_000, window: 1_200_000 });

export async function forwarding(bench: BenchRedis): Promise<Row[]> {
  const more = { WECHAT_AFTER_ACK: 'renew', WECHAT_RULES: rules };
  const site = await openTurns('product', bench, more);
  const pass = await startWeb({ ...site.environment, WECHAT_BOT_MODE: 'pass' });
  const others = await Promise.all(proxies.map((name) => startProxy(name, site.worldPort)));
  const { gatewayPath } = site;
  const [direct, web, passing] = [site.worldPort, site.port, pass.port].map(createWire) as [Wire, Wire, Wire];
  const through = proxies.map((name, index) => [name, others[index]?.wire ?? direct] as const);
  try {
    await site.order({ botSilent: true, botDelayMs: 0 });
    const waiting = await letWait(site, web);
    const plain = [['directly', direct] as const, ...through];
    const callers = (path: string) => [
      ...plain.map(([name, wire]) => ({ name, wire, path })),
      { name: 'gateway', wire: web, path: `${gatewayPath}${path}` },
    ];
    const send = '/cgi-bin/message/custom/send?access_token=the-token-of-the-bench';
    const rows: Row[] = [];
    for (const [what, path, bodyOf] of [
      ['a token call', '/cgi-bin/stable_token', () => grant],
      ['the answer to who waits', send, (nth: number) => messageTo(waiting[nth] ?? '')],
      ['a message to who does not', send, (nth: number) => messageTo(`oNobody_${nth}`)],
    ] as const) {
      const took = await inTurns(direct, callers(path), (nth, to) => apiCall(to, bodyOf(nth)));
      rows.push(rowOf(`the bot's own API call through the gateway: ${what}`, took, gatewayGoal));
    }
    await site.order({ botSilent: false });
    const ways = [
      ...plain.map(([name, wire]) => ({ name, wire, path: '/bot' })),
      { name: 'pass', wire: passing, path: null },
      { name: 'job', wire: web, path: null },
    ];
    const pushes = await inTurns(direct, ways, (_, path) => {
      const push = pushOf('WeChat plain');
      return path === null ? push : { ...push, path: push.path.replace('/webhooks/wechat', path) };
    });
    return [...rows, rowOf('a push to a bot that answers at once', pushes)];
  } finally {
    for (const wire of [direct, web, passing]) wire.close();
    for (const other of others) await other.close();
    await pass.close();
    await site.close();
  }
}

async function startProxy(name: string, port: number): Promise<{ wire: Wire; close(): Promise<void> }> {
  const file = join(installed('proxies'), 'server.mjs');
  const server = await startServer(file, [name, `http://127.0.0.1:${port}`]);
  const wire = createWire(server.port);
  return {
    wire,
    close: () => {
      wire.close();
      return server.close();
    },
  };
}

/** Each has written, the bot has acknowledged, and typing is on. */
async function letWait(site: TurnsSite, web: Wire): Promise<string[]> {
  const users: string[] = [];
  for (let nth = 0; nth < warmUp + calls; nth += 1) {
    const push = pushOf('WeChat plain');
    users.push(push.user);
    await web.send(bytesOf(push));
  }
  for (let look = 0; look < 100; look += 1) {
    const { typing } = await site.order({});
    if (new Set(typing.map(({ user }) => user)).size >= users.length) return users;
    await wait(100);
  }
  throw new Error('Typing never came on for all who wait.');
}

const grant = JSON.stringify({ grant_type: 'client_credential', appid: 'bench', secret: 'bench' });

function messageTo(touser: string): string {
  return JSON.stringify({ touser, msgtype: 'text', text: { content: '你好' } });
}

function apiCall(path: string, body: string): Push {
  return { path, headers: { 'content-type': 'application/json' }, body, user: '' };
}

interface Way<Path> {
  name: string;
  wire: Wire;
  path: Path;
}

interface Took {
  /** ms, by the way's name. */
  times: Record<string, number[]>;
  failed: number;
}

/** All ways once, and so again and again, each time beginning with another. */
async function inTurns<Path>(
  idle: Wire,
  ways: readonly Way<Path>[],
  pushFor: (nth: number, path: Path) => Push,
): Promise<Took> {
  const times: Record<string, number[]> = Object.fromEntries(ways.map(({ name }) => [name, []]));
  let failed = 0;
  for (let nth = 0; nth < warmUp + calls; nth += 1) {
    for (let turn = 0; turn < ways.length; turn += 1) {
      const way = ways[(nth + turn) % ways.length];
      if (!way) continue;
      const request = bytesOf(pushFor(nth, way.path));
      await keepBusy(idle);
      const { status, took } = await way.wire.send(request);
      if (status !== 200) failed += 1;
      if (nth >= warmUp) times[way.name]?.push(took);
    }
  }
  return { times, failed };
}

/** No processor falls asleep meanwhile, which costs more than any proxy. */
async function keepBusy(idle: Wire): Promise<void> {
  const until = now() + settleMs;
  while (now() < until) await idle.send(bytesOf(apiCall('/cgi-bin/stable_token', grant)));
}

const gatewayGoal: NonNullable<Row['goal']> = {
  says: 'p50 ≤ the better of theirs + 0.5 ms',
  met: (of) => of('gateway p50') <= Math.min(...proxies.map((name) => of(`${name} p50`))) + 0.5,
};

function rowOf(what: string, { times, failed }: Took, goal?: Row['goal']): Row {
  const [direct, ...others] = Object.entries(times);
  const floor = latencies(direct?.[1] ?? []);
  const values: Row['values'] = { 'directly p50': ms(floor.p50), 'directly p99': ms(floor.p99) };
  for (const [name, took] of others) {
    const { p50, p99 } = latencies(took);
    values[`${name} p50`] = ms(p50 - floor.p50);
    values[`${name} p99`] = ms(p99 - floor.p99);
  }
  const turns = Object.values(times).reduce((all, { length }) => all + length, 0);
  return {
    what: `forwarding: ${what}; added to the direct call by each, one at a time`,
    values,
    ...(goal ? { goal } : {}),
    exact: { turns, wrong: { failed } },
  };
}
