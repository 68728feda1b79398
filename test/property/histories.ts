/** Random histories of one conversation, and the promises checked over them. */
import fc from 'fast-check';
import type { Rules } from '../../src/core/rules.ts';
import { createWorld, type Fault, type Stepper, type World, type WorldOptions } from '../core/world.ts';

interface TurnPlan {
  at: number;
  how: 'passive' | 'failed' | 'api' | 'silent' | 'undelivered' | 'early';
  takes: number;
  acknowledges: number;
  waits: number;
  repeats: number[];
}

export interface History {
  turns: TurnPlan[];
  latencies: number[];
  faults: Fault[];
  lates: number[];
}

const turnPlan = (options: { hows: TurnPlan['how'][]; waits: number }): fc.Arbitrary<TurnPlan> =>
  fc.record({
    at: fc.integer({ min: 0, max: 60_000 }),
    how: fc.constantFrom(...options.hows),
    takes: fc.integer({ min: 1, max: 90_000 }),
    acknowledges: fc.integer({ min: 1, max: 3000 }),
    waits: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: options.waits })),
    repeats: fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 2 }),
  });

const faults: Fault[] = ['none', 'none', 'none', 'failed', 'lost-done', 'lost-undone', 'dies'];

export function histories(options: {
  turns: number;
  faulty: boolean;
  hows: TurnPlan['how'][];
  /** How long the event of a message may wait in the queue, in ms: others overtake it. */
  waits: number;
}): fc.Arbitrary<History> {
  return fc.record({
    turns: fc.array(turnPlan(options), { minLength: 1, maxLength: options.turns }),
    latencies: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
    faults: options.faulty
      ? fc.array(fc.constantFrom(...faults), { minLength: 1, maxLength: 20 })
      : fc.constant(['none']),
    lates: fc.array(fc.integer({ min: -20, max: 100 }), { minLength: 1, maxLength: 20 }),
  });
}

export const allHows: TurnPlan['how'][] = ['passive', 'failed', 'api', 'silent', 'undelivered', 'early'];

function pick<T>(from: T[], n: number, otherwise: T): T {
  return from[n % from.length] ?? otherwise;
}

export function play(
  rules: Rules,
  running: WorldOptions['running'],
  history: History,
  step?: Stepper,
): World {
  const world = createWorld({
    rules,
    running,
    ...(step ? { step } : {}),
    latency: (n) => pick(history.latencies, n, 1),
    fault: (n) => pick(history.faults, n, 'none'),
    late: (n) => pick(history.lates, n, 0),
  });
  history.turns.forEach((plan, index) => schedule(world, plan, `turn-${index}`));
  world.run();
  return world;
}

function schedule(world: World, plan: TurnPlan, turn: string): void {
  const inbound = {
    is: 'inbound',
    turn,
    sentAt: 0,
    messageId: turn,
    opensTurn: true,
    interaction: true,
  } as const;
  const arrives = (): void => world.tell({ ...inbound, phase: 'working', at: world.now() }, plan.waits);
  const end = plan.at + plan.takes;
  world.at(plan.at, () => world.writes());
  // An answer that is faster than its own message's job.
  if (plan.how === 'early') {
    world.at(plan.at, () =>
      world.tell({ is: 'ended', turn, by: 'passive-reply', message: true, at: world.now() }),
    );
    world.at(plan.at + 1, () => world.message());
    world.at(plan.at + 2, arrives);
    return;
  }
  world.at(plan.at, arrives);
  for (const after of plan.repeats) world.at(plan.at + after, arrives);
  if (plan.how === 'passive' || plan.how === 'undelivered') {
    world.at(end, () =>
      world.tell({ is: 'ended', turn, by: 'passive-reply', message: true, at: world.now() }),
    );
    world.at(end + 300, () => {
      if (plan.how === 'undelivered') return world.tell({ is: 'undelivered', at: world.now() });
      world.message();
      world.tell({ is: 'interaction', at: world.now() });
    });
  }
  if (plan.how === 'failed') {
    world.at(end, () =>
      world.tell({ is: 'ended', turn, by: 'reply-failed', message: false, at: world.now() }),
    );
  }
  if (plan.how === 'api' || plan.how === 'silent') {
    world.at(plan.at + plan.acknowledges, () => world.tell({ is: 'acknowledged', turn, at: world.now() }));
  }
  if (plan.how === 'api') {
    const answered = end + plan.acknowledges;
    world.at(answered, () => world.message());
    world.at(answered + 150, () => world.tell({ is: 'message', by: 'status', sentAt: 0, at: world.now() }));
  }
}

/** Promise 3: how long the phone showed typing while no turn was open, in ms; 0 is never reached with latency. */
export function ghost(world: World): number {
  const spans = [...world.turns.values()].map(({ openedAt, endedAt }) => ({ from: openedAt, to: endedAt }));
  return longest(world.lit, (at) => spans.some(({ from, to }) => from <= at && at < to));
}

/** Promise 4: the longest stretch in which a turn was open, the rules would have allowed it, and the phone was dark. */
export function gap(world: World, rules: Rules): number {
  const wanted = [...world.turns.values()].map(({ openedAt, endedAt }) => ({
    from: openedAt,
    to: Math.min(endedAt, openedAt + rules.cap),
  }));
  const allowed = (at: number): boolean =>
    world.interactions.some((time) => time <= at && at < time + rules.window - rules.windowMargin) &&
    [...world.turns.values()].some(
      (turn) =>
        turn.openedAt <= at && at < Math.min(turn.endedAt, turn.openedAt + rules.cap) && at >= turn.darkUntil,
    );
  return longest(wanted, (at) => !allowed(at) || world.lit.some(({ from, to }) => from <= at && at < to));
}

const grain = 20;

/** The longest run of moments inside the spans for which `fine` does not hold. */
function longest(spans: { from: number; to: number }[], fine: (at: number) => boolean): number {
  let worst = 0;
  for (const { from, to } of spans) {
    let run = 0;
    for (let at = from; at < to; at += grain) {
      run = fine(at) ? 0 : run + grain;
      worst = Math.max(worst, run);
    }
  }
  return worst;
}
