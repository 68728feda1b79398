/** Random plans of one conversation: what the user, the bot and the platform do, and when. */
import fc from 'fast-check';
import type { Rules } from '../../src/core/rules.ts';
import type { Fault } from '../core/world.ts';

/** How the turn of a message ends. */
export const hows = [
  // In the bot's webhook answer, or without one.
  'passive',
  'undelivered',
  'early',
  'failed',
  'none',
  'done',
  'keep',
  'first',
  'handoff',
  // Acknowledged, and then…
  'status',
  'silent',
  'gateway',
  'gateway-refused',
  'gateway-unknown',
  'gateway-silent',
  'working-gateway',
  'queue',
  'queue-nothing',
  'queue-failed',
  'over',
  'over-all',
  'control',
  'forgotten',
] as const;
export type How = (typeof hows)[number];

/** What somebody does meanwhile, whichever turns are open. */
export const acts = [
  'on',
  'off',
  'pause',
  'resume',
  'echo',
  'message',
  'stop',
  'start',
  'click',
  'left',
] as const;
export type ActKind = (typeof acts)[number];

export interface TurnPlan {
  at: number;
  how: How;
  takes: number;
  acknowledges: number;
  /** How long the event of the message waits in the queue (ms), and how long the news of its end does. */
  waits: number;
  lags: number;
  latency: number;
  repeats: number[];
  /** The news of the end comes again after so long; null: not. */
  doubled: number | null;
  /** The platform's own news of a message: so long after the gateway's (ms). */
  statusAfter: number;
  /** Where nobody tells whether the message went out: it did. */
  isOut: boolean;
}

export interface Act {
  at: number;
  is: ActKind;
  lags: number;
  latency: number;
}

export interface History {
  turns: TurnPlan[];
  acts: Act[];
  rules: Partial<Rules>;
  latencies: number[];
  faults: Fault[];
  lates: number[];
}

export interface Kind {
  turns: number;
  hows: readonly How[];
  acts?: readonly ActKind[];
  faulty?: boolean;
  /** The platform repeats its pushes. */
  repeats?: boolean;
  /** The user writes at once, and this is how much follows within how long (ms). */
  burst?: { acts: number; within: number };
  /** How long an event may wait in the queue, in ms: others overtake it. */
  waits: number;
  rules?: { [Name in 'afterAck' | 'sendEnds' | 'interim' | 'mode']?: Rules[Name][] };
}

const longest = 60_000;
const faults: Fault[] = ['none', 'none', 'none', 'failed', 'lost-done', 'lost-undone', 'dies'];

export function histories(kind: Kind): fc.Arbitrary<History> {
  const act = fc.record({
    at: fc.integer(kind.burst ? { min: 101, max: kind.burst.within } : { min: 0, max: longest * 2 }),
    is: fc.constantFrom(...(kind.acts?.length === 0 ? acts : (kind.acts ?? acts))),
    lags: waiting(kind),
    latency,
  });
  return fc.record({
    turns: fc.array(turnPlan(kind), { minLength: 1, maxLength: kind.turns }),
    acts: fc.array(act, { maxLength: kind.acts?.length === 0 ? 0 : (kind.burst?.acts ?? 4) }),
    rules: rulesOf(kind),
    latencies: fc.array(latency, { minLength: 1, maxLength: 20 }),
    faults: kind.faulty
      ? fc.array(fc.constantFrom(...faults), { minLength: 1, maxLength: 20 })
      : fc.constant<Fault[]>(['none']),
    lates: fc.array(fc.integer({ min: -20, max: 100 }), { minLength: 1, maxLength: 20 }),
  });
}

const latency = fc.integer({ min: 1, max: 200 });

function waiting({ waits }: Kind): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 0, max: Math.min(50, waits) }), fc.integer({ min: 0, max: waits }));
}

function turnPlan(kind: Kind): fc.Arbitrary<TurnPlan> {
  return fc.record({
    at: fc.integer({ min: 0, max: kind.burst ? 100 : longest }),
    how: fc.constantFrom(...kind.hows),
    takes: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 90_000 })),
    acknowledges: fc.integer({ min: 1, max: 3000 }),
    waits: waiting(kind),
    lags: waiting(kind),
    latency,
    repeats: fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: kind.repeats === false ? 0 : 2 }),
    doubled: fc.option(fc.integer({ min: 1, max: 5000 })),
    statusAfter: fc.integer({ min: -100, max: 3000 }),
    isOut: fc.boolean(),
  });
}

function rulesOf({ rules = {} }: Kind): fc.Arbitrary<Partial<Rules>> {
  const choices = Object.entries(rules).map(([name, values]) => [name, fc.constantFrom(...values)]);
  return fc.record(Object.fromEntries(choices));
}
