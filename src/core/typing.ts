/**
 * The heart: what to do about one conversation's indicator. `step` is a function of rules, state and event; it
 * returns the next state and what to do, and does nothing itself.
 *
 * Turns. `inbound` opens one, as `working` (the bot is being called) or `acknowledged` (there is no bot to call).
 * `acknowledged` moves it on. It leaves by `ended`; by `message` when it is acknowledged (a working one stays, goes
 * dark for a moment and ends with its call); by its deadline; in pass mode by `missed` deliveries; by `paused` and
 * `left`. Its id stays in `ended`, so that a repeat of the push, or an `inbound` that comes after its own end, opens
 * nothing.
 *
 * Indicator. `dark` → (show accepted) → `lit` → (lifetime over) → `dark`. A call whose fate is unknown makes it `maybe`.
 * A message to the user makes `lit` into `cleared`: dark, unless the message is reported undelivered, which makes it
 * `maybe` again. `decide` compares what the open turns want with what the phone shows, and asks for at most one call.
 *
 * One call at a time. While `call` is set every event is only noted; the call's `outcome` decides what comes next. A
 * show whose outcome comes after it was given up makes the indicator `maybe`, so that it is still taken back.
 *
 * Alarms are hints. There is one timer number that counts. An early wake-up is armed again, a late one is judged by
 * the clock, one with another number is ignored.
 */
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import type { Event } from './event.ts';
import { giveUpCall } from './outcome.ts';
import type { Rules } from './rules.ts';
import { count, measure, nothingMeasured, type Measures } from './measure.ts';
import type { Call, State } from './state.ts';
import { endTurns, turnEnd } from './turns.ts';

export interface Step extends Measures {
  state: State;
  /** Make this call, then report its `outcome`. */
  call: Call | null;
  /** Send `wake` with this number at this time. */
  arm: { n: number; at: number } | null;
  /** This wake-up is not needed any more. */
  disarm: number | null;
}

export interface Told {
  event: Event;
  /** The job that would make the call. */
  by: string;
  /** When it is judged; an event that waited in a queue happened before. @default event.at */
  now?: number;
  /** A message to the user is just being sent: no show before this. @default 0 */
  blockedUntil?: number;
}

export function step(
  rules: Rules,
  state: State,
  { event, by, now = event.at, blockedUntil = 0 }: Told,
): Step {
  const stale = event.is === 'wake' && event.timer !== state.timer?.n;
  if (stale) return { state, call: null, arm: null, disarm: null, ...nothingMeasured };
  const at = Math.max(now, event.at);
  const before = count(state, at);
  const after = apply(rules, elapse(rules, before, at), event);
  const measures = measure(rules, { before, after, event, from: state.countedAt, at, blockedUntil });
  return { ...decide(rules, after, { at, by, blockedUntil }), ...measures };
}

/** What the passing of time alone has done by `at`. */
export function elapse(rules: Rules, state: State, at: number): State {
  const { call, indicator } = state;
  const live = call && at >= call.at + rules.callLimit ? giveUpCall(rules, state, at) : state;
  const ended = endTurns(live, at, (turn) => {
    if (at < turnEnd(rules, turn)) return null;
    return turn.lapsesAt !== null && at >= turn.lapsesAt ? 'deliveries' : 'deadline';
  });
  const over = indicator.is !== 'dark' && ended.indicator.is !== 'dark' && ended.indicator.until <= at;
  return over ? { ...ended, indicator: { is: 'dark' } } : ended;
}
