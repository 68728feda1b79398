/**
 * The highest rate at which pushes are acknowledged as Meta asks of webhooks: "median latency should not exceed 250 ms,
 * less than 1 % should exceed 1 s" (https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks).
 * The whole of it is at work: web, worker, typing, a bot that takes its time; beside what one writes by hand.
 */
import { latencies, ms, now, percent, perSecond, type Row, times, wait } from './measure.ts';
import { makePushes } from './pushes.ts';
import type { BenchRedis } from './redis.ts';
import { type Kind, openTurns, type TurnsSite } from './turns-site.ts';
import { type Answered, createWire, sendAll, sendOpenly, type Wire } from './wire.ts';

const median = 250;
const slow = 1_000;
const mostSlow = 0.01;

/** Each rate for so long (ms), the first of them a second, the next so many times the one before. */
const stepMs = 2_500;
const first = 600;
const factor = 1.6;
/** Halvings between the last rate that held and the first that did not. */
const halvings = 2;
const warmUp = 1_500;
const botDelayMs = 200;
/** What is left of a rate that was too high is done by then (ms). */
const restMs = 30_000;

interface Held {
  rate: number;
  answered: Answered[];
  /** Users whose push had no typing. */
  typingless: number;
  pushes: number;
}

export async function receiver(bench: BenchRedis): Promise<Row[]> {
  const own = await highest('product', bench);
  const hand = await highest('hand-written', bench);
  const { p50, p99 } = latencies(own.best.answered.map(({ took }) => took));
  return [
    {
      what: `pushes a second (NXCloud, signed, open loop) that are acknowledged as Meta asks: median ≤ ${median} ms, less than 1 % above 1 s; web, worker, Redis, a bot of ${botDelayMs} ms and the platform on this machine; beside hand-written`,
      values: {
        keeptyping: perSecond(own.best.rate),
        'then p50': ms(p50),
        p99: ms(p99),
        'above 1 s': percent(slowOf(own.best.answered)),
        'typing left out': percent(own.best.typingless / own.best.pushes),
        'hand-written': perSecond(hand.best.rate),
        ratio: times(own.best.rate / hand.best.rate),
      },
      exact: { turns: own.turns, wrong: own.wrong },
    },
  ];
}

const slowOf = (answered: readonly Answered[]): number =>
  answered.filter(({ took }) => took > slow).length / answered.length;

function holds(answered: readonly Answered[]): boolean {
  const isTaken = answered.every(({ status }) => status === 200);
  return isTaken && latencies(answered.map(({ took }) => took)).p50 <= median && slowOf(answered) < mostSlow;
}

interface Highest {
  best: Held;
  /** Of all rates: pushes that were acknowledged, and what became of them at the bot. */
  turns: number;
  wrong: Record<string, number>;
}

async function highest(kind: Kind, bench: BenchRedis): Promise<Highest> {
  await bench.redis.flushall();
  // Whoever was answered is not renewed: nobody tells here that the bot has sent something.
  const site = await openTurns(kind, bench, { NXCLOUD_AFTER_ACK: 'keep' });
  const wire = createWire(site.port);
  const wrong = { 'not at the bot': 0, 'twice at the bot': 0 };
  let turns = 0;
  try {
    await site.order({ botDelayMs, botSilent: true });
    await sendAll(wire, makePushes('NXCloud signed', warmUp), 64);
    await atRest(site, warmUp);
    let best: Held | null = null;
    const holdsAt = async (rate: number): Promise<boolean> => {
      const { answered, calls, typingless } = await step(site, wire, rate);
      const taken = answered.filter(({ status }) => status === 200).length;
      turns += taken;
      wrong['not at the bot'] += Math.max(0, taken - calls.users);
      wrong['twice at the bot'] += calls.again;
      const isHeld = holds(answered);
      if (isHeld) best = { rate, answered, typingless, pushes: answered.length };
      return isHeld;
    };
    let [low, high] = [0, first];
    while (await holdsAt(high)) [low, high] = [high, high * factor];
    for (let nth = 0; nth < halvings; nth += 1) {
      const between = (low + high) / 2;
      if (await holdsAt(between)) low = between;
      else high = between;
    }
    if (best === null) throw new Error(`${kind} did not hold even ${Math.round(high)} pushes a second.`);
    return { best, turns, wrong };
  } finally {
    wire.close();
    await site.close();
  }
}

async function step(site: TurnsSite, wire: Wire, rate: number) {
  await site.order({ forget: true });
  const pushes = makePushes('NXCloud signed', Math.round((rate * stepMs) / 1_000));
  const answered = await sendOpenly(wire, pushes, rate);
  const { asked, typing } = await atRest(site, pushes.length);
  const users = new Set(asked.map(({ user }) => user)).size;
  // Here a user is called by the message.
  const typed = new Set(typing.map(({ user }) => user)).size;
  return { answered, calls: { users, again: asked.length - users }, typingless: pushes.length - typed };
}

/** Resolves when the bot has been called for each, and nothing more comes of it; or in the end. */
async function atRest(site: TurnsSite, pushes: number) {
  const end = now() + restMs;
  let before = -1;
  for (;;) {
    await wait(500);
    const noted = await site.order({});
    const done = noted.asked.length + noted.typing.length;
    if ((noted.asked.length >= pushes && done === before) || now() > end) return noted;
    before = done;
  }
}
