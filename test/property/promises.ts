/** The promises as properties, apart from the core that keeps them, so that planted bugs can be run against them. */
import fc from 'fast-check';
import type { Rules } from '../../src/core/rules.ts';
import type { Stepper } from '../core/world.ts';
import { allHows, gap, ghost, histories, play } from './histories.ts';

export interface Subject {
  rules: Rules;
  running: 'refuses' | 'swallows';
  step?: Stepper;
}

const latencyMax = 200;
const lateMax = 100;

/** 3, 5 under every fault: nothing shown for an ended turn, never two calls at once, and the phone ends dark. */
export function noGhostWhateverFails({ rules, running, step }: Subject): fc.IProperty<unknown> {
  return fc.property(histories({ turns: 4, faulty: true, hows: allHows, waits: 5000 }), (history) => {
    const world = play(rules, running, history, step);
    const broken = world.broken.filter((line) => !line.startsWith('refused'));
    if (broken.length > 0) throw new Error(broken.join('; '));
    // A call without an answer may have been carried out at its very end, and a hide is tried again every so often.
    const bound = rules.hides ? rules.callLimit + rules.lifetime + latencyMax : rules.lifetime + latencyMax;
    if (ghost(world) > bound) throw new Error(`ghost of ${ghost(world)} ms`);
    if (world.state().turns.length > 0) throw new Error('a turn never ends');
  });
}

/** 3, 4, 5 where nothing fails: no refused call, no ghost but a show already on its way, no avoidable gap. */
export function fullCover({ rules, running, step }: Subject): fc.IProperty<unknown> {
  const hows = ['passive', 'failed', 'undelivered', 'early'] as const;
  return fc.property(histories({ turns: 1, faulty: false, hows: [...hows], waits: 50 }), (history) => {
    const world = play(rules, running, history, step);
    if (world.broken.length > 0) throw new Error(world.broken.join('; '));
    if (gap(world, rules) > rules.renewMargin + lateMax + 3 * latencyMax)
      throw new Error(`gap of ${gap(world, rules)} ms`);
    const onItsWay = rules.hides ? 500 + 3 * latencyMax : rules.lifetime;
    if (ghost(world) > onItsWay) throw new Error(`ghost of ${ghost(world)} ms`);
  });
}

/** 4, 5 with overlapping turns and evidence that names no turn. */
export function overlap({ rules, running, step }: Subject): fc.IProperty<unknown> {
  const renewing = { ...rules, afterAck: 'renew' as const };
  return fc.property(
    histories({ turns: 4, faulty: false, hows: ['passive', 'failed', 'api'], waits: 50 }),
    (history) => {
      const world = play(renewing, running, history, step);
      if (world.broken.length > 0) throw new Error(world.broken.join('; '));
      const crossing = rules.darkAfterMessage + rules.againAfter + 300;
      // Where nothing says "already typing", a show that a message crossed may wait for a whole lifetime.
      const bound = running === 'refuses' ? crossing + 1000 : rules.lifetime + 1000;
      if (gap(world, renewing) > bound) throw new Error(`gap of ${gap(world, renewing)} ms`);
    },
  );
}

export const promises = { noGhostWhateverFails, fullCover, overlap };
