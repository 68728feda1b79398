/** Turns a scenario into a line: what happens to one conversation, in virtual time, and which calls the core asks for. */
import type { Measured, Measures } from '../../src/core/measure.ts';
import type { Outcome } from '../../src/core/platform.ts';
import type { Rules } from '../../src/core/rules.ts';
import {
  type Call,
  type Event,
  type Evidence,
  initialState,
  type Pause,
  type State,
} from '../../src/core/state.ts';
import { step, type Step, wakeAt } from '../../src/core/step.ts';

type WithoutTime<E> = E extends unknown ? Omit<E, 'at'> : never;
export type Happening = WithoutTime<Event>;

/** The platform's word on one call; `after`: ms until it comes, over `takes`. `silence`: it never comes. */
export type Answer = 'silence' | (Outcome & { after?: number });

export interface Scheduled {
  second: number;
  happening: Happening;
  judged: number;
}

/** What happens at which second; `judged`: when the event comes out of its queue. @default at once */
export function at(second: number, happening: Happening, judged = second): Scheduled {
  return { second, happening, judged };
}

export interface Scenario {
  rules: Rules;
  events: readonly Scheduled[];
  /** The n-th call's answer. @default done */
  answers?: readonly Answer[];
  /** How long each call takes, in ms. @default 0 */
  takes?: number;
  /** Messages of the bot on their way: from which second, to the one in which somebody says how it ended. @default none */
  sending?: readonly { from: number; to: number }[];
  /** Nothing is judged after this second. @default until all is at rest */
  until?: number;
}

/** A message that nobody speaks of again stops holding shows back after this (ms). */
export const blockLimit = 5000;

export interface Played {
  /** `0 show, 15.06 show (already), 24 hide`: the calls, in seconds; answers other than `done` in brackets. */
  calls: string;
  /** `24 a: passive-reply`: how the turns ended. */
  ends: string;
  made: Call[];
  /** What each step measured, where it measured anything. */
  measured: Measured[];
  skipped: Measures['skipped'][];
  ghostMs: number;
  state: State;
}

/** Second 0 of every scenario, in ms: far enough from 1970 that no time is taken for "none". */
export const start = 1_000_000;

/** The platform's own whole second at that second of the scenario. */
export function platformSecond(second: number): number {
  return start / 1000 + second;
}

export function play({ rules, events, answers = [], takes = 0, sending = [], until }: Scenario): Played {
  const line = createLine();
  const calls: string[] = [];
  const ends: string[] = [];
  const made: Call[] = [];
  const measured: Measured[] = [];
  const skipped: Measures['skipped'][] = [];
  let ghostMs = 0;
  let state = initialState;
  let jobs = 0;
  const tell = (event: Event, by: string): void => {
    const now = line.now();
    const before = state.timer?.n;
    const taken: Step = step(rules, state, { event, by, now, blockedUntil: blockedUntil(sending, now) });
    ({ state } = taken);
    ends.push(...taken.ended.map((turn) => `${seconds(now)} ${turn.id}: ${turn.by}`));
    measured.push(...taken.ended);
    if (taken.skipped) skipped.push(taken.skipped);
    ghostMs += taken.ghostMs;
    const { call } = taken;
    const { timer } = state;
    if (timer && timer.n !== before) looksAgain(timer.at, timer.n);
    if (!call) return;
    looksAgain(wakeAt(rules, state) ?? now, 0);
    make(call, by);
  };
  const looksAgain = (when: number, timer: number): void =>
    line.at(when, () => tell({ is: 'wake', timer, at: line.now() }, 'look'));
  const make = (call: Call, by: string): void => {
    const answer: Answer = answers[made.length] ?? { is: 'done' };
    made.push(call);
    const word = answer === 'silence' ? answer : answer.is;
    calls.push(`${seconds(call.at)} ${call.kind}${word === 'done' ? '' : ` (${word})`}`);
    if (answer === 'silence') return;
    const { after = 0, ...outcome } = answer;
    line.at(call.at + takes + after, () =>
      tell({ is: 'outcome', call: call.n, outcome, at: line.now() }, by),
    );
  };
  for (const { second, happening, judged } of events) {
    const by = happening.is === 'recovered' ? happening.by : `job-${(jobs += 1)}`;
    const event: Event = { ...happening, at: start + second * 1000 };
    line.at(start + judged * 1000, () => tell(event, by));
  }
  line.run(until === undefined ? Infinity : start + until * 1000);
  return { calls: calls.join(', '), ends: ends.join(', '), made, measured, skipped, ghostMs, state };
}

/** As it is read from Redis; the event that ends a block is judged without it. */
export function blockedUntil(sending: NonNullable<Scenario['sending']>, now: number): number {
  const standing = sending.filter(({ from, to }) => start + from * 1000 <= now && now < start + to * 1000);
  return Math.max(0, ...standing.map(({ from }) => start + from * 1000 + blockLimit));
}

/** Virtual time: what stands for a moment is done in the order in which it was put there. */
function createLine() {
  const waiting: { time: number; what: () => void }[] = [];
  let time = start;
  return {
    now: () => time,
    at: (when: number, what: () => void): void => {
      waiting.push({ time: Math.max(when, time), what });
    },
    run: (until: number): void => {
      for (let steps = 0; waiting.length > 0; steps += 1) {
        if (steps > 10_000) throw new Error('the scenario never comes to rest');
        const earliest = Math.min(...waiting.map((each) => each.time));
        if (earliest > until) return;
        const [next] = waiting.splice(
          waiting.findIndex((each) => each.time === earliest),
          1,
        );
        time = earliest;
        next?.what();
      }
    },
  };
}

function seconds(at: number): string {
  return String((at - start) / 1000);
}

/** The user writes: a turn begins, and the bot is called. */
export function writes(turn: string, more: Partial<Extract<Happening, { is: 'inbound' }>> = {}): Happening {
  const message = { sentAt: 0, messageId: turn, opensTurn: true, interaction: true } as const;
  return { is: 'inbound', turn, ...message, phase: 'working', ...more };
}

/** The bot's webhook answer holds a message, which goes out now. */
export function answers(turn: string): Happening {
  return { is: 'ended', turn, by: 'passive-reply', message: true };
}

/** The bot failed for good: no message goes out. */
export function fails(turn: string): Happening {
  return { is: 'ended', turn, by: 'reply-failed', message: false };
}

export function acknowledges(turn: string): Happening {
  return { is: 'acknowledged', turn };
}

/** …and asks for typing until it has answered. */
export function keeps(turn: string): Happening {
  return { is: 'acknowledged', turn, renew: true };
}

/** A message to the user is seen, whose turn is not known. */
export function seen(sentAt = 0, id: string | null = null): Happening {
  return { is: 'message', by: 'status', sentAt, id };
}

/** A message to the user passes the gateway. */
export function sends(id: string | null = null): Happening {
  return { is: 'message', by: 'gateway', sentAt: 0, id };
}

/** A human answers from the phone app. */
export function echoes(sentAt = 0, id: string | null = null): Happening {
  return { is: 'message', by: 'echo', sentAt, id };
}

/** The bot's own queue, or somebody by the control API, says that the turn is over; its message may be out. */
export function finishes(turn: string, by: Evidence = 'control'): Happening {
  return { is: 'ended', turn, by, message: 'out' };
}

export function over(turns: 'all' | 'acknowledged', by: Evidence = 'control'): Happening {
  return { is: 'over', by, turns };
}

/** Somebody who knows asks for typing. */
export function starts(turn: string, messageId: string | null = null): Happening {
  return { is: 'started', turn, messageId };
}

/** The bot switches its own indicator on or off. */
export function types(on: boolean): Happening {
  return { is: 'typed', on };
}

/** No typing until that second. */
export function pauses(by: Pause, until: number): Happening {
  return { is: 'paused', until: start + until * 1000, by };
}

/** A message of ours has reached the user. */
export const reached: Happening = { is: 'interaction', sent: true };

export const leaves: Happening = { is: 'left' };
