import type { Channel } from '../core/platform.ts';
import { coverOf, type Interval, litIntervals, litWithin, type Mark, type What } from './phone.ts';

export type Listener = (mark: Mark) => void;

/** All phones of one platform; a phone comes into being when it is first asked for. */
export interface Phones {
  of: (user: string) => LivePhone;
  forget: (user: string) => void;
  /** Hears every later mark. Returns the way to stop. */
  on: (listener: Listener) => () => void;
  close(): void;
}

export function createPhones(options: { channel: Channel; lifetime: number; now: () => number }): Phones {
  const phones = new Map<string, LivePhone>();
  const listeners = new Set<Listener>();
  const emit = (mark: Mark): void => {
    for (const listener of listeners) listener(mark);
  };
  return {
    of(user) {
      const phone = phones.get(user) ?? createPhone({ ...options, user, emit });
      phones.set(user, phone);
      return phone;
    },
    forget(user) {
      phones.get(user)?.close();
      phones.delete(user);
    },
    on(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    close() {
      for (const phone of phones.values()) phone.close();
    },
  };
}

/** A phone that runs: marks as they happen, listeners, and the end of an indicator that nobody takes away. */

/** What a test, the demo or the bench may ask of a phone. Times in ms since 1970. */
export interface Phone {
  readonly user: string;
  readonly marks: readonly Mark[];
  intervals(): Interval[];
  litAt(at: number): boolean;
  /** The lit share of [from, to], 0 to 1. */
  cover(from: number, to: number): number;
  /** Lit ms after `from`, for instance after the answer. */
  ghost(from: number, to?: number): number;
  /** Resolves with the first mark that matches, from the timeline's beginning: past or future. */
  next(matches: (mark: Mark) => boolean): Promise<Mark>;
}

/** What the platform's side does to a phone. */
export interface LivePhone extends Phone {
  mark(what: What, detail: string): void;
  lit(): boolean;
  light(detail: string): void;
  darken(detail: 'cancelled' | 'message'): void;
  /** A message arrives; it takes the indicator away. */
  receive(detail: string, via: 'passive' | 'api'): void;
  close(): void;
}

interface PhoneOptions {
  channel: Channel;
  user: string;
  /** How long an indicator shows, in ms. */
  lifetime: number;
  now: () => number;
  emit: (mark: Mark) => void;
}

interface Waiter {
  matches: (mark: Mark) => boolean;
  resolve: (mark: Mark) => void;
}

interface State extends PhoneOptions {
  marks: Mark[];
  waiters: Set<Waiter>;
  /** End of the running indicator. */
  until: number | null;
  timer: NodeJS.Timeout | null;
}

export function createPhone(options: PhoneOptions): LivePhone {
  const state: State = { ...options, marks: [], waiters: new Set(), until: null, timer: null };
  const intervals = (): Interval[] => litIntervals(state.marks, state.lifetime);
  return {
    user: options.user,
    get marks() {
      expire(state);
      return state.marks;
    },
    intervals,
    litAt: (at) => intervals().some(({ from, to }) => from <= at && at < to),
    cover: (from, to) => coverOf(intervals(), { from, to }),
    ghost: (from, to = Infinity) => litWithin(intervals(), { from, to }),
    next: (matches) => nextMark(state, matches),
    mark: (what, detail) => record(state, { what, detail }),
    lit: () => isLit(state),
    light: (detail) => light(state, detail),
    darken: (detail) => darken(state, detail),
    receive(detail, via) {
      darken(state, 'message');
      record(state, { what: 'received', detail, via });
    },
    close: () => clearTimeout(state.timer ?? undefined),
  };
}

function record(state: State, mark: Pick<Mark, 'what' | 'detail' | 'via'> & { at?: number }): void {
  if (mark.at === undefined) expire(state);
  const { channel, user } = state;
  const full: Mark = { channel, user, at: state.now(), ...mark };
  state.marks.push(full);
  for (const waiter of state.waiters) {
    if (!waiter.matches(full)) continue;
    state.waiters.delete(waiter);
    waiter.resolve(full);
  }
  state.emit(full);
}

function nextMark(state: State, matches: (mark: Mark) => boolean): Promise<Mark> {
  expire(state);
  const past = state.marks.find((mark) => matches(mark));
  if (past !== undefined) return Promise.resolve(past);
  return new Promise((resolve) => state.waiters.add({ matches, resolve }));
}

function isLit(state: State): boolean {
  expire(state);
  return state.until !== null;
}

function light(state: State, detail: string): void {
  record(state, { what: 'typing-on', detail });
  state.until = state.now() + state.lifetime;
  arm(state);
}

function darken(state: State, detail: string): void {
  if (!isLit(state)) return;
  state.until = null;
  record(state, { what: 'typing-off', detail });
}

/** Marks the end of an indicator at the moment the rules give, however late anybody looks. */
function expire(state: State): void {
  if (state.until === null || state.now() < state.until) return;
  const at = state.until;
  state.until = null;
  record(state, { what: 'typing-off', detail: 'expired', at });
}

function arm(state: State): void {
  clearTimeout(state.timer ?? undefined);
  if (state.until === null) return;
  const wake = (): void => {
    expire(state);
    arm(state);
  };
  state.timer = setTimeout(wake, Math.max(1, state.until - state.now())).unref();
}
