/**
 * How late conversations are looked at again, however many of them are open: one worker, WhatsApp's indicators, each
 * renewed every 25.3 s. As many as 10,000 open turns ask for, 400 a second, is what one worker on such a machine does;
 * of 100,000 it is as many, and the others only wait.
 */
import { Queue } from 'bullmq';
import { nxcloudRules } from '../src/nxcloud/rules.ts';
import { keys, queueNames } from '../src/redis/keys.ts';
import { leaveNoTrace, type TypingJob } from '../src/typing/jobs.ts';
import { startServer } from './child.ts';
import { createRandom, middleAndTail, prefixed, type Row, wait } from './measure.ts';
import type { BenchRedis } from './redis.ts';
import { openTurns, openWorld, type Order, type Noted } from './turns-site.ts';

const every = nxcloudRules.lifetime + nxcloudRules.renewMargin;
const busiest = 10_000;
const measuredMs = 10_000;
/** Whoever is late comes within this (ms). */
const graceMs = 1_000;

/** How long it takes to open one is seen by opening so many more, as nothing may be due before all are open. */
const tried = 300;

/** A turn that is open long before its first indicator: what its first wake shows was planned by the worker itself. */
const startDelay = 600_000;
const rules = JSON.stringify({ startDelay, cap: 3_600_000, deadline: 3_600_000 });

const names = ['keeptyping', 'setTimeout', 'BullMQ'] as const;

interface Planned {
  user: string;
  /** ms */
  due: number;
}

/** What wakes conversations. */
interface Waker {
  plan(all: readonly Planned[]): Promise<void>;
  /** How late those were that came since the last look (ms). */
  late(): Promise<number[]>;
  order(order: Order): Promise<Noted>;
  close(): Promise<void>;
}

/** It takes a minute to open 100,000 turns: the first run alone does that. */
export async function wakes(bench: BenchRedis, run: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const open of [1_000, 10_000, ...(run === 0 ? [100_000] : [])]) {
    const values: Row['values'] = {};
    const wrong = { 'not woken': 0 };
    let turns = 0;
    for (const name of names) {
      await bench.redis.flushall();
      const waker = name === 'keeptyping' ? await openKeeptyping(bench) : await openOther(name, bench);
      try {
        const { late, due, missing } = await measure(waker, open);
        Object.assign(values, prefixed(name, middleAndTail(late)));
        if (name === 'keeptyping') [turns, wrong['not woken']] = [due, missing];
      } finally {
        await waker.close();
      }
    }
    const isBusiest = open === busiest;
    rows.push({
      what: `wake-ups with ${open.toLocaleString('en')} open turns, ${Math.round((Math.min(open, busiest) * 1_000) / every)} due a second: due → looked at; a bare timer; a bare delayed job`,
      values,
      ...(isBusiest ? { goal: { says: 'p99 ≤ 50 ms', met: (of) => of('keeptyping p99') <= 50 } } : {}),
      exact: { turns, wrong },
    });
  }
  return rows;
}

async function measure(
  waker: Waker,
  open: number,
): Promise<{ late: number[]; due: number; missing: number }> {
  const random = createRandom();
  const some = Array.from({ length: open }, (_, nth) => ({
    user: `wamid.wake.${nth}`,
    after: random() * every,
  }));
  // So many come one after the other as renewals do; the others later than anything here is measured.
  const active = some.slice(0, busiest);
  const later = Date.now() + startDelay;
  const rest = some.slice(busiest).map(({ user }) => ({ user, due: later }));
  await waker.plan(rest);
  const began = Date.now();
  await waker.plan(Array.from({ length: tried }, (_, nth) => ({ user: `wamid.tried.${nth}`, due: later })));
  const planMs = (Date.now() - began) / tried;
  const from = Date.now() + 2_000 + 2 * planMs * active.length;
  const planned = active.map(({ user, after }) => ({ user, due: Math.ceil(from + after) }));
  await waker.plan(planned);
  if (Date.now() > from) throw new Error('The machine is too busy to open so many turns in time.');
  await waker.order({ forget: true });
  await wait(from - Date.now());
  await waker.late();
  await wait(measuredMs);
  const late = await waker.late();
  await wait(graceMs);
  const { typing } = await waker.order({});
  const woken = new Set(typing.map(({ user }) => user));
  const due = planned.filter((each) => each.due < from + measuredMs);
  return { late, due: due.length, missing: due.filter(({ user }) => !woken.has(user)).length };
}

async function openKeeptyping(bench: BenchRedis): Promise<Waker> {
  const site = await openTurns('product', bench, { NXCLOUD_RULES: rules, LOG_LEVEL: 'debug' });
  const queue = new Queue<TypingJob>(queueNames.typing, {
    connection: { url: bench.url },
    prefix: keys.prefix,
  });
  let read = 0;
  return {
    ...site,
    /** As a web tells that somebody has written. */
    async plan(all) {
      for (let first = 0; first < all.length; first += 500)
        await queue.addBulk(all.slice(first, first + 500).map(inbound));
      while ((await queue.getJobCountByTypes('wait', 'active')) > 0) await wait(100);
    },
    async late() {
      const said = site.output('worker');
      const lines = said.slice(read).matchAll(/"lateMs":(-?\d+)/g);
      read = said.length;
      return [...lines].map(([, value]) => Number(value));
    },
    async close() {
      await queue.close();
      await site.close();
    },
  };
}

function inbound({ user, due }: Planned) {
  const event = {
    is: 'inbound',
    at: due - startDelay,
    turn: user,
    sentAt: 0,
    messageId: user,
    opensTurn: true,
    interaction: true,
    phase: 'acknowledged',
  } as const;
  const conversation = { channel: 'nxcloud', account: 'default', user } as const;
  return { name: 'inbound', data: { conversation, event }, opts: leaveNoTrace };
}

async function openOther(name: string, { url }: BenchRedis): Promise<Waker> {
  const world = await openWorld();
  const api = `http://127.0.0.1:${world.port}/cgi-bin/message/custom/typing`;
  const file = new URL('./wakes-server.mjs', import.meta.url);
  const server = await startServer(file, [name, api, String(every)], { REDIS_URL: url });
  const lateOf = async (question: { plan?: readonly Planned[] }): Promise<number[]> =>
    (await server.ask<{ late: number[] }>(question)).late;
  return {
    plan: async (all) => void (await lateOf({ plan: all })),
    late: () => lateOf({}),
    order: (order) => world.order(order),
    async close() {
      await server.close();
      await world.close();
    },
  };
}
