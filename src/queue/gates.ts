import {
  type Breaker,
  closedBreaker,
  failed,
  going,
  pausedUntil,
  standingOf,
  succeeded,
  waitOf,
} from '../core/breaker.ts';
import type { Observe } from '../core/notice.ts';
import type { Outcome, Platform } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import { idOf } from '../core/roster.ts';

/** What stands between this process's typing calls and each account: its breaker. */
export interface Gates {
  /** How long a show has to wait, in ms; 0: it may go. */
  waitOf(platform: Platform): number;
  through(platform: Platform, call: () => Promise<Outcome>): Promise<Outcome>;
}

export interface GatesOptions {
  clock: Clock;
  /** Is told when a breaker opens, probes and closes. @default nobody */
  observe?: Observe | undefined;
}

interface Gate {
  breaker: Breaker;
  standing: ReturnType<typeof standingOf>;
}

export function createGates({ clock, observe }: GatesOptions): Gates {
  const gates = new Map<string, Gate>();
  const of = (platform: Platform): Gate => {
    const name = idOf(platform);
    const gate = gates.get(name) ?? { breaker: closedBreaker, standing: 'closed' };
    gates.set(name, gate);
    return gate;
  };
  const turn = (platform: Platform, breaker: Breaker): void => {
    const gate = of(platform);
    const { channel, account } = platform;
    const at = clock.now();
    const state = standingOf(breaker, at);
    const before = gate.standing;
    Object.assign(gate, { breaker, standing: state });
    if (state !== before) observe?.({ is: 'breaker', at, channel, account, state });
  };
  return {
    waitOf: (platform) => waitOf(of(platform).breaker, clock.now()),
    through: async (platform, call) => {
      const gate = of(platform);
      turn(platform, going(gate.breaker, clock.now()));
      const outcome = await call();
      turn(platform, after(gate.breaker, outcome, clock.now()));
      return outcome;
    },
  };
}

function after(breaker: Breaker, outcome: Outcome, at: number): Breaker {
  if (outcome.is === 'lost' || outcome.is === 'failed') return failed(breaker, at);
  if (outcome.is === 'account-back-off') return pausedUntil(succeeded(), at + outcome.forMs);
  // A call that was in flight when the platform asked for a pause does not end it.
  return pausedUntil(succeeded(), breaker.pausedUntil);
}
