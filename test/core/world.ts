/**
 * A reference world for the core: virtual time, a phone that obeys the platform's rules, and what keeptyping is told.
 * It keeps its own truth of which turns are open, and notes every broken promise.
 */
import type { Event } from '../../src/core/event.ts';
import type { Outcome } from '../../src/core/platform.ts';
import type { Rules } from '../../src/core/rules.ts';
import { initialState, type Call, type State } from '../../src/core/state.ts';
import { step as realStep } from '../../src/core/typing.ts';

export type Stepper = typeof realStep;

/** What goes wrong with a call: `lost-*`: no answer, carried out or not; `dies`: the job dies in mid-call, carried out. */
export type Fault = 'none' | 'failed' | 'lost-done' | 'lost-undone' | 'dies';

export interface WorldOptions {
  rules: Rules;
  /** Does a running indicator refuse a show (WeChat), or swallow it (WhatsApp, "ignored until expiry")? */
  running: 'refuses' | 'swallows';
  step?: Stepper;
  /** The n-th call's one-way latency in ms, and its fault. */
  latency: (n: number) => number;
  fault: (n: number) => Fault;
  /** The n-th wake-up is so late, in ms. */
  late: (n: number) => number;
}

interface TrueTurn {
  openedAt: number;
  endedAt: number;
  phase: 'working' | 'acknowledged';
  replied: boolean;
  darkUntil: number;
}

export interface World {
  at(time: number, what: () => void): void;
  /** Something happens now; it is judged when it has waited in the queue for so long (ms). */
  tell(event: Event, waits?: number): void;
  /** A message reaches the phone. */
  message(): void;
  /** The user writes. */
  writes(): void;
  run(): void;
  now(): number;
  state(): State;
  turns: Map<string, TrueTurn>;
  broken: string[];
  calls: { at: number; kind: Call['kind']; answer: string }[];
  /** Intervals in which the phone showed typing. */
  lit: { from: number; to: number }[];
  interactions: number[];
}

export function createWorld(options: WorldOptions): World {
  const { rules, step = realStep } = options;
  const queue: { time: number; order: number; what: () => void }[] = [];
  const inFlight = new Map<number, number>();
  let time = 0;
  let order = 0;
  let jobs = 0;
  let wakes = 0;
  let calls = 0;
  let state: State = initialState;
  const world: World = {
    at: (when, what) => void queue.push({ time: Math.max(when, time), order: (order += 1), what }),
    tell: (event, waits = 0) => {
      noteTruth(world, rules, event);
      world.at(time + waits, () => judgeEvent(event));
    },
    message: () => {
      world.interactions.push(time);
      if (rules.messageClears) turnOff();
    },
    writes: () => void world.interactions.push(time),
    run,
    now: () => time,
    state: () => state,
    turns: new Map(),
    broken: [],
    calls: [],
    lit: [],
    interactions: [],
  };

  function run(): void {
    for (let steps = 0; queue.length > 0 && steps < 20_000; steps += 1) {
      queue.sort((a, b) => a.time - b.time || a.order - b.order);
      const next = queue.shift();
      if (!next) return;
      time = next.time;
      next.what();
    }
    if (queue.length > 0) world.broken.push('never comes to rest');
  }

  function judgeEvent(event: Event, by = `job-${(jobs += 1)}`): void {
    // News of a message comes after the message: a show of the same moment may stand on either side of it.
    // After "already typing" nobody knows since when: it is tried again, a few times.
    const doubtful =
      ['maybe', 'cleared'].includes(state.indicator.is) || state.again > 0 || state.call?.crossed === true;
    const done = step(rules, state, { event, by, now: time });
    state = done.state;
    if (done.arm) {
      const { n, at } = done.arm;
      world.at(Math.max(time + 1, at + options.late((wakes += 1))), () =>
        judgeEvent({ is: 'wake', timer: n, at: time }),
      );
    }
    if (done.call) begin(done.call, { by, doubtful });
  }

  function begin(call: Call, { by, doubtful }: { by: string; doubtful: boolean }): void {
    const n = (calls += 1);
    for (const [other, since] of inFlight) if (time - since >= rules.callLimit) inFlight.delete(other);
    if (inFlight.size > 0) world.broken.push(`two calls in flight at ${time}`);
    inFlight.set(call.n, time);
    const open = [...world.turns.values()].some((turn) => time <= turn.endedAt);
    if (call.kind === 'show' && !open) world.broken.push(`show decided at ${time} with no turn open`);
    const fault = options.fault(n);
    const latency = options.latency(n);
    const answered = (outcome: Outcome, after: number): void =>
      world.at(time + after, () => {
        inFlight.delete(call.n);
        judgeEvent({ is: 'outcome', call: call.n, outcome, at: time }, by);
      });
    if (fault === 'failed') return answered({ is: 'failed', code: -1 }, latency * 2);
    if (fault !== 'lost-undone')
      world.at(time + latency, () => arrive(call, { doubtful, fault, answered, latency }));
    if (fault === 'dies') {
      world.at(time + 5000, () => {
        inFlight.delete(call.n);
        judgeEvent({ is: 'recovered', by, at: time }, by);
      });
    }
    if (fault === 'lost-done' || fault === 'lost-undone')
      answered({ is: 'lost', begun: true, cause: 'timeout' }, 3000);
  }

  interface Arrival {
    doubtful: boolean;
    fault: Fault;
    latency: number;
    answered: (outcome: Outcome, after: number) => void;
  }

  /** The platform's side of a call. */
  function arrive(call: Call, { doubtful, fault, latency, answered }: Arrival): void {
    const outcome = judge(call);
    world.calls.push({ at: time, kind: call.kind, answer: outcome.is });
    const refused = outcome.is !== 'done';
    const allowed = doubtful || state.call?.crossed === true;
    if (refused && !allowed) world.broken.push(`refused call (${outcome.is}) at ${time}`);
    if (fault === 'none') answered(outcome.is === 'swallowed' ? { is: 'done' } : outcome, latency);
  }

  function judge(call: Call): Outcome | { is: 'swallowed' } {
    const running = isLit(time);
    if (call.kind === 'hide') {
      turnOff();
      return { is: 'done' };
    }
    const last = world.interactions.at(-1) ?? -Infinity;
    if (time - last > rules.window) return { is: 'window-closed', code: 45080 };
    if (running) return options.running === 'refuses' ? { is: 'already' } : { is: 'swallowed' };
    world.lit.push({ from: time, to: time + rules.lifetime });
    return { is: 'done' };
  }

  function isLit(when: number): boolean {
    return world.lit.some(({ from, to }) => from <= when && when < to);
  }

  function turnOff(): void {
    const last = world.lit.at(-1);
    if (last && last.to > time) last.to = time;
  }

  return world;
}

/** The truth about turns, kept without the core. */
function noteTruth(world: World, rules: Rules, event: Event): void {
  const { at } = event;
  const open = [...world.turns.values()].filter((turn) => at < turn.endedAt);
  const turn = 'turn' in event ? world.turns.get(event.turn) : undefined;
  if (event.is === 'inbound' && !turn && event.opensTurn) {
    const phase = event.phase === 'acknowledged' ? 'acknowledged' : 'working';
    world.turns.set(event.turn, {
      openedAt: at,
      endedAt: at + rules.deadline,
      phase,
      replied: false,
      darkUntil: 0,
    });
  }
  if (event.is === 'ended') {
    if (turn) turn.endedAt = Math.min(turn.endedAt, at);
    else
      world.turns.set(event.turn, {
        openedAt: at,
        endedAt: at,
        phase: 'working',
        replied: false,
        darkUntil: 0,
      });
  }
  if (event.is === 'acknowledged' && turn) {
    turn.phase = 'acknowledged';
    if (turn.replied) turn.endedAt = Math.min(turn.endedAt, at);
  }
  if (event.is !== 'message') return;
  for (const each of open) {
    if (each.phase === 'acknowledged') each.endedAt = at;
    else Object.assign(each, { replied: true, darkUntil: at + rules.darkAfterMessage });
  }
}
