/** A phone that obeys its platform's rules, and the platform's own count of messages. */
import type { Rules } from '../../src/core/rules.ts';

export interface Lit {
  from: number;
  to: number;
  /** The bot itself has switched it on. */
  own: boolean;
}

export type Shown = 'done' | 'already' | 'swallowed' | 'window-closed';

export interface Phone {
  /** Intervals in which it showed typing. */
  lit: Lit[];
  /** When a message went either way; of some nobody ever tells. */
  interactions: { at: number; told: boolean }[];
  /** What runs is the bot's own, begun in the very moment in which ours ended: who of them runs nobody can tell. */
  passedOn(): boolean;
  /** Messages to the user since the user's last one. */
  sends(): number;
  /** Those among them that nobody counts here. */
  untold: number;
  writes(at: number): void;
  show(at: number, own?: boolean): Shown;
  hide(at: number): void;
  /** A message reaches it. */
  message(at: number, told?: boolean): void;
  /** A message is handed to the platform. Answers whether that takes it. */
  send(at: number, told?: boolean): boolean;
}

/** As long as a call may take (ms). */
const moment = 400;

/** `running`: does a running indicator refuse a show (WeChat), or swallow it (WhatsApp, "ignored until expiry")? */
export function createPhone(rules: Rules, running: 'refuses' | 'swallows'): Phone {
  const lit: Lit[] = [];
  const interactions: Phone['interactions'] = [];
  let sends = 0;
  const hide = (at: number): void => {
    const last = lit.at(-1);
    if (last && last.to > at) last.to = at;
  };
  const message = (at: number, told = true): void => {
    interactions.push({ at, told });
    if (rules.messageClears) hide(at);
  };
  const phone: Phone = {
    lit,
    interactions,
    sends: () => sends,
    untold: 0,
    passedOn: () => {
      const [before, last] = lit.slice(-2);
      return before !== undefined && last !== undefined && last.own && last.from - before.to < moment;
    },
    writes: (at) => {
      interactions.push({ at, told: true });
      sends = 0;
      phone.untold = 0;
    },
    show: (at, own = false) => {
      const last = interactions.at(-1)?.at ?? -Infinity;
      if (at - last > rules.window) return 'window-closed';
      if (lit.some(({ from, to }) => from <= at && at < to))
        return running === 'refuses' ? 'already' : 'swallowed';
      lit.push({ from: at, to: at + rules.lifetime, own });
      return 'done';
    },
    hide,
    message,
    send: (at, told) => {
      if (rules.sendsPerMessage > 0 && sends >= rules.sendsPerMessage) return false;
      sends += 1;
      message(at, told);
      return true;
    },
  };
  return phone;
}
