/** What the open turns want to be shown, and from when it may be. */
import type { Rules } from './rules.ts';
import type { State, Turn } from './state.ts';

export type Wish = 'none' | 'keep' | 'show';

/** The strongest wish of the open turns: show it, keep what is lit, or nothing. */
export function wishAt(rules: Rules, state: State, at: number): Wish {
  const wishes = state.turns.map((turn) => wishOf(rules, turn, at));
  return wishes.includes('show') ? 'show' : wishes.includes('keep') ? 'keep' : 'none';
}

export function wishOf(rules: Rules, turn: Turn, at: number): Wish {
  if (rules.mode === 'off' || turn.hushed) return 'none';
  if (at < showsFrom(rules, turn) || at >= turn.openedAt + rules.cap) return 'none';
  return isOnceOnly(rules, turn) && turn.shown ? 'keep' : 'show';
}

/** After a bare acknowledgement nobody may ever say that the answer is out. */
export function isOnceOnly(rules: Rules, turn: Turn): boolean {
  return rules.mode === 'once' || isUnheard(rules, turn);
}

export function isUnheard(rules: Rules, turn: Turn): boolean {
  return turn.phase === 'acknowledged' && rules.afterAck === 'keep' && !turn.renews;
}

export function showsFrom(rules: Rules, turn: Turn): number {
  return Math.max(turn.openedAt + (turn.shown ? 0 : rules.startDelay), turn.darkUntil);
}

/** The earliest moment for the next show; Infinity when none is allowed before something else happens. */
export function showDue(
  rules: Rules,
  state: State,
  { at, blockedUntil }: { at: number; blockedUntil: number },
): number {
  const { refusal } = state;
  if (refusal && refusal.until === null) return Infinity;
  const due = Math.max(at, state.showAt, refusal?.until ?? 0, budgetFrom(rules, state), blockedUntil);
  return due < windowEnd(rules, state) ? due : Infinity;
}

export const minute = 60_000;

/** When the conversation may have its next call of this minute's; 0: now. */
export function budgetFrom(rules: Rules, { spent }: State): number {
  return spent.shows >= rules.showsPerMinute ? spent.since + minute : 0;
}

export function windowEnd(rules: Rules, { lastInteractionAt }: State): number {
  return lastInteractionAt === null ? 0 : lastInteractionAt + rules.window - rules.windowMargin;
}
