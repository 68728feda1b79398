/**
 * A reference world for the core: virtual time, a phone that obeys the platform's rules, and what keeptyping is told.
 * It keeps its own truth of which turns are open, and notes every broken promise.
 */
import type { Outcome } from '../../src/core/platform.ts';
import type { Rules } from '../../src/core/rules.ts';
import { type Call, type Event, initialState, type State } from '../../src/core/state.ts';
import { step as realStep, wakeAt } from '../../src/core/step.ts';
import { createPhone, type Phone } from './phone.ts';
import { createTruth, note, openAt, type TrueTurn, type Truth } from './truth.ts';

export type Stepper = typeof realStep;

/** What goes wrong with a call: `lost-*`: no answer, carried out or not; `dies`: the job dies in mid-call, carried out. */
export type Fault = 'none' | 'failed' | 'lost-done' | 'lost-undone' | 'dies';

/** How a message of the bot ends: `unknown-*`, `silent-*`: nobody knows, nobody ever says; delivered or not. */
export type Sent = 'accepted' | 'refused' | 'unknown-out' | 'unknown-lost' | 'silent-out' | 'silent-lost';

export interface WorldOptions {
  rules: Rules;
  running: 'refuses' | 'swallows';
  step?: Stepper;
  /** The n-th call's one-way latency in ms, and its fault. */
  latency: (n: number) => number;
  fault: (n: number) => Fault;
  /** The n-th wake-up is so late, in ms. */
  late: (n: number) => number;
}

export interface World {
  rules: Rules;
  phone: Phone;
  truth: Truth;
  /** Shows and texts were not allowed in these: a message was on its way. */
  blocks: Block[];
  /** Of some message nobody knew whether it went out. */
  doubted: boolean;
  broken: string[];
  at(time: number, what: () => void): void;
  /** Something happens; it is judged when it has waited in the queue for so long (ms). */
  tell(event: Event, how?: { waits?: number; ends?: Block }): void;
  /** A message of the bot passes the gateway. */
  send(message: { how: Sent; id: string | null; waits: number; latency: number }): void;
  /** The bot switches its own indicator, through the gateway. */
  types(on: boolean, how: { waits: number; latency: number }): void;
  /** A message reaches the phone of which only the platform may tell. */
  unseen(how?: { told: boolean }): void;
  /** Something will happen on the phone within so long (ms). */
  expects(ms: number): void;
  /** What comes only when everything that has happened is judged. */
  whenSettled(what: () => void): void;
  now(): number;
  state(): State;
  run(): void;
}

export interface Block {
  from: number;
  to: number;
  over: boolean;
}

const blockLimit = 5000;
const patience = 500;
const look = 15;
/** The beginning, in ms: no time is taken for "none". */
export const noon = 1_000_000;

export function createWorld(options: WorldOptions): World {
  const { rules, step = realStep } = options;
  const line = createLine();
  const inFlight = new Map<number, { kind: Call['kind']; since: number }>();
  /** What has happened on the phone and is not told yet, and how often anything has. */
  let inTheAir = 0;
  let happened = 0;
  let switchedAt = 0;
  let settled = noon;
  let jobs = 0;
  let wakes = 0;
  let calls = 0;
  let state: State = initialState;
  const phone = createPhone(rules, options.running);
  const truth = createTruth();
  const breaks = (what: string): void => void world.broken.push(`${what} at ${line.now() - noon}`);

  const world: World = {
    rules,
    phone,
    truth,
    blocks: [],
    doubted: false,
    broken: [],
    at: line.at,
    tell: (event, { waits = 0, ends } = {}) => {
      settled = Math.max(settled, line.now() + waits);
      world.doubted ||= isDoubt(event);
      note({ rules, truth, settled, judgedAt: line.now() + waits }, event);
      line.at(line.now() + waits, () => judge(event, { ends }));
    },
    send,
    types,
    unseen: ({ told } = { told: false }) => {
      phone.untold += 1;
      phone.send(line.now(), told);
    },
    expects: (ms) => {
      settled = Math.max(settled, line.now() + ms);
    },
    whenSettled: (what) => {
      const again = (): void => {
        const isSettled = line.now() > settled && inTheAir === 0;
        if (isSettled) what();
        else line.at(Math.max(settled, line.now()) + 1, again);
      };
      again();
    },
    now: line.now,
    state: () => state,
    run: () => {
      if (!line.run()) world.broken.push('never comes to rest');
    },
  };

  function judge(
    event: Event,
    { by = `job-${(jobs += 1)}`, ends }: { by?: string; ends?: Block | undefined },
  ): void {
    if (ends) Object.assign(ends, { over: true, to: line.now() });
    const now = line.now();
    // A show of the same moment as a message may stand on either side of it; after "already typing" nobody knows since
    // when it runs; and what happens on the phone is told later.
    const doubtful =
      ['maybe', 'cleared'].includes(state.indicator.is) || state.again > 0 || state.call?.crossed === true;
    const blockedUntil = Math.max(0, ...standing(now).map(({ from }) => from + blockLimit));
    const before = state.timer?.n;
    const done = step(rules, state, { event, by, now, blockedUntil });
    state = done.state;
    const { timer } = state;
    if (timer && timer.n !== before) looksAgain(timer.at, timer.n);
    if (!done.call) return;
    looksAgain(wakeAt(rules, state) ?? now, 0);
    begin(done.call, { event, by, excused: doubtful || inTheAir > 0 });
  }

  function looksAgain(at: number, timer: number): void {
    line.at(Math.max(line.now() + 1, at + options.late((wakes += 1))), () =>
      judge({ is: 'wake', timer, at: line.now() }, {}),
    );
  }

  function standing(now: number): Block[] {
    return world.blocks.filter(({ from, over }) => !over && now < from + blockLimit);
  }

  interface Making {
    event: Event;
    by: string;
    excused: boolean;
  }

  function begin(call: Call, { event, by, excused }: Making): void {
    const n = (calls += 1);
    const now = line.now();
    for (const [other, { since }] of inFlight) if (now - since >= rules.callLimit) inFlight.delete(other);
    if (inFlight.size > 0) breaks('two calls in flight');
    inFlight.set(call.n, { kind: call.kind, since: now });
    if (call.kind !== 'hide') checkDecision(call.kind);
    const before = happened;
    const fault = options.fault(n);
    const latency = options.latency(n);
    const answers = (outcome: Outcome, after: number): void =>
      line.at(line.now() + after, () => {
        inFlight.delete(call.n);
        judge({ is: 'outcome', call: call.n, outcome, at: line.now() }, { by });
      });
    if (fault === 'failed') return answers({ is: 'failed', code: -1 }, latency * 2);
    if (fault === 'lost-done' || fault === 'lost-undone')
      answers({ is: 'lost', begun: true, cause: 'timeout' }, 3000);
    if (fault === 'dies') line.at(now + 5000, () => recovers(call, { event, by }));
    if (fault === 'lost-undone') return;
    line.at(now + latency, () => {
      const known = excused || inTheAir > 0 || happened !== before || state.call?.crossed === true;
      const outcome = arrive(call.kind, known);
      if (fault === 'none') answers(outcome, latency);
    });
  }

  /** The job is tried again: it finds its own call, and judges its event once more. */
  function recovers(call: Call, { event, by }: { event: Event; by: string }): void {
    inFlight.delete(call.n);
    judge({ is: 'recovered', by, at: line.now() }, { by });
    if (event.is !== 'outcome' && event.is !== 'recovered') judge(event, { by });
  }

  function checkDecision(kind: 'show' | 'interim'): void {
    const now = line.now();
    const open = openAt(truth, now);
    if (open.length === 0) breaks(`${kind} decided with no turn open`);
    if (standing(now).length > 0) breaks(`${kind} decided while a message is on its way`);
    const { pause } = truth;
    const isPaused = pause !== null && pause.from <= now && now < pause.until;
    if (isPaused && !open.some(({ openedAt }) => openedAt < pause.from)) breaks(`${kind} decided in a pause`);
    const isHushed = ({ hushed }: TrueTurn): boolean => hushed.some(({ from, to }) => from < now && now < to);
    if (open.length > 0 && open.every(isHushed)) breaks(`fought: ${kind} decided after the bot's cancel`);
    if (kind === 'interim') checkText(open);
  }

  function checkText(open: TrueTurn[]): void {
    const now = line.now();
    const { interim } = rules;
    const due = open.filter(
      ({ texted, repliedAt, unheardAt, openedAt }) =>
        !texted && now <= repliedAt && now <= unheardAt && now >= openedAt + (interim?.after ?? 0),
    );
    if (due.length === 0) breaks('interim decided with no turn that waits for one');
    // One serves all who wait now.
    for (const turn of open) turn.texted ||= turn.judgedAt < now;
  }

  /** The platform's side of a call. */
  function arrive(kind: Call['kind'], excused: boolean): Outcome {
    const now = line.now();
    if (kind === 'hide') {
      phone.hide(now);
      return { is: 'done' };
    }
    if (kind === 'interim') return arriveText(excused);
    const shown = phone.show(now);
    if (shown !== 'done' && !excused && !phone.passedOn()) breaks(`refused show (${shown})`);
    if (shown === 'window-closed') return { is: shown, code: 45080 };
    return { is: shown === 'swallowed' ? 'done' : shown };
  }

  function arriveText(excused: boolean): Outcome {
    const taken = phone.send(line.now());
    const isKnown = !excused && phone.untold === 0;
    if (!taken && isKnown) breaks('refused interim');
    const limit = rules.sendsPerMessage;
    if (taken && isKnown && limit > 0 && phone.sends() >= limit) breaks('no message left for the answer');
    return taken ? { is: 'done' } : { is: 'failed', code: 45047 };
  }

  function send(message: Parameters<World['send']>[0]): void {
    const at = line.now();
    const block: Block = { from: at, to: at + blockLimit, over: false };
    world.blocks.push(block);
    inTheAir += 1;
    const leave = (): void => {
      const isShowing = state.call?.kind === 'show';
      if (isShowing && line.now() < at + patience) return line.at(line.now() + look, leave);
      line.at(line.now() + message.latency, () => reach(message, { at, block }));
    };
    leave();
  }

  function reach(
    { how, id, waits, latency }: Parameters<World['send']>[0],
    { at, block }: { at: number; block: Block },
  ): void {
    const now = line.now();
    happened += 1;
    const isOut =
      ['accepted', 'unknown-out', 'silent-out'].includes(how) && phone.send(now, how === 'accepted');
    if (how === 'accepted' && isOut) {
      return lands(
        now + latency,
        () => world.tell({ is: 'message', by: 'gateway', sentAt: 0, id, at }, { waits, ends: block }),
        waits,
      );
    }
    if (isOut) phone.untold += 1;
    if (how.startsWith('silent')) return lands(at + blockLimit, () => {}, 0);
    const doubt = how.startsWith('unknown');
    lands(
      now + (doubt ? 3000 : latency),
      () => world.tell({ is: 'unblocked', doubt, at: line.now() }, { waits, ends: block }),
      waits,
    );
  }

  /** It is told then, and known when it has been judged. */
  function lands(when: number, tells: () => void, waits: number): void {
    line.at(when, () => {
      tells();
      line.at(line.now() + waits, () => void (inTheAir -= 1));
    });
  }

  function types(on: boolean, { waits, latency }: { waits: number; latency: number }): void {
    inTheAir += 1;
    // Nobody switches there and back within a call's time.
    const leaves = Math.max(line.now(), switchedAt + 1000);
    switchedAt = leaves;
    line.at(leaves + latency, () => {
      happened += 1;
      const now = line.now();
      const shown = on ? phone.show(now, true) : phone.hide(now);
      const told = shown !== 'window-closed';
      lands(now + latency, () => told && world.tell({ is: 'typed', on, at: line.now() }, { waits }), waits);
    });
  }

  return world;
}

function isDoubt(event: Event): boolean {
  if (event.is === 'ended') return event.message === 'out';
  return event.is === 'over' || (event.is === 'unblocked' && event.doubt);
}

/** Virtual time: what stands for a moment is done in the order in which it was put there. */
function createLine() {
  const queue: { time: number; order: number; what: () => void }[] = [];
  let time = noon;
  let order = 0;
  return {
    now: () => time,
    at: (when: number, what: () => void): void =>
      void queue.push({ time: Math.max(when, time), order: (order += 1), what }),
    /** Answers whether it came to rest. */
    run: (): boolean => {
      for (let steps = 0; queue.length > 0 && steps < 20_000; steps += 1) {
        queue.sort((a, b) => a.time - b.time || a.order - b.order);
        const next = queue.shift();
        if (!next) return true;
        time = next.time;
        next.what();
      }
      return queue.length === 0;
    },
  };
}
