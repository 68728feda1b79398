import type { Platform } from '../core/platform.ts';
import type { Rules } from '../core/rules.ts';
import type { EndedTurn } from '../core/state.ts';

/** What all processes have learned of one account. */
export interface Learned {
  /** Typing is switched off until then (ms); tried again after. */
  offUntil: number;
  /** The platform's code for it. */
  offCode: number;
  /** What mends it, in one sentence. */
  remedy: string;
  /** Messages cannot be sent through the platform's API either; asked again after (ms). */
  muteUntil: number;
  /** What to do after a bare acknowledgement, once seen; null: the platform's default. */
  afterAck: 'keep' | 'renew' | null;
  /** Acknowledged turns in a row of which nobody ever said how they ended. */
  unheard: number;
}

export const unknown: Learned = {
  offUntil: 0,
  offCode: 0,
  remedy: '',
  muteUntil: 0,
  afterAck: null,
  unheard: 0,
};

/** So many acknowledged turns in a row without any evidence show that none is to be had. */
const unheardLimit = 3;

/** What comes without the webhook's answer shows that the end of later turns will be seen too. */
const heard: readonly EndedTurn['by'][] = ['gateway', 'status', 'echo', 'queue', 'control'];

export function learn(learned: Learned, { by, asked, seen }: EndedTurn): Learned {
  // Typing that was asked for by hand goes on anyway, and its end by hand says nothing of other turns.
  if (!seen || (by === 'control' && asked)) return learned;
  if (heard.includes(by)) {
    return learned.afterAck === 'renew' && learned.unheard === 0
      ? learned
      : { ...learned, afterAck: 'renew', unheard: 0 };
  }
  if (by !== 'deadline') return learned;
  const unheard = learned.unheard + 1;
  return { ...learned, unheard, afterAck: unheard >= unheardLimit ? 'keep' : learned.afterAck };
}

export function rulesNow(
  platform: Platform,
  learned: Learned,
  { at, auto }: { at: number; auto: boolean },
): Rules {
  const { rules } = platform;
  const afterAck = auto ? (learned.afterAck ?? rules.afterAck) : rules.afterAck;
  return { ...rules, afterAck, mode: at < learned.offUntil ? 'off' : rules.mode };
}

/** A hash of `channel/account/aspect`. */
export function parseAll(fields: Record<string, string>): Record<string, Learned> {
  const accounts: Record<string, Learned> = {};
  for (const [field, json] of Object.entries(fields)) {
    const account = field.slice(0, field.lastIndexOf('/'));
    accounts[account] = { ...(accounts[account] ?? unknown), ...(JSON.parse(json) as Partial<Learned>) };
  }
  return accounts;
}

/** What the platform refuses the account, and until when (ms); whose typing is off by the configuration has nothing to mend. */
export function refusalOf(
  { rules }: Pick<Platform, 'rules'>,
  { offUntil, offCode, remedy }: Learned,
  at: number,
): { until: number; code: number; remedy: string } | null {
  return at < offUntil && rules.mode !== 'off' ? { until: offUntil, code: offCode, remedy } : null;
}
