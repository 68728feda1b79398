/** What the user saw, against what was true. */
import type { TrueTurn } from '../core/truth.ts';
import type { World } from '../core/world.ts';

interface Span {
  from: number;
  to: number;
}

/** How long the phone showed typing of ours while nobody waited, as far as anybody knew, in ms. */
export function ghost({ phone, truth }: World): number {
  const ours = phone.lit.filter(({ own }) => !own);
  return longest(ours, (at) => truth.turns.some(({ openedAt, knownAt }) => openedAt <= at && at <= knownAt));
}

/** The longest stretch in which somebody waited, the rules would have allowed it, and the phone was dark, in ms. */
export function gap(world: World): number {
  const { phone, truth, rules, blocks } = world;
  const isLit = (at: number): boolean => phone.lit.some(({ from, to }) => from <= at && at < to);
  const isOpen = (at: number): boolean =>
    phone.interactions.some(
      (each) => each.told && each.at <= at && at < each.at + rules.window - rules.windowMargin,
    );
  const isBlocked = (at: number): boolean => blocks.some(({ from, to }) => from <= at && at <= to);
  const spans = truth.turns.map((turn) => ({ from: turn.openedAt, to: wantedUntil(world, turn) }));
  return longest(
    spans,
    (at) =>
      isLit(at) || isBlocked(at) || !isOpen(at) || !truth.turns.some((turn) => isWanted(world, { turn, at })),
  );
}

function wantedUntil({ rules }: World, { openedAt, endedAt, unheardAt }: TrueTurn): number {
  return Math.min(endedAt, openedAt + rules.cap, unheardAt);
}

function isWanted(world: World, { turn, at }: { turn: TrueTurn; at: number }): boolean {
  const { openedAt, darkUntil, hushed } = turn;
  const isHushed = hushed.some(({ from, to }) => from <= at && at < to);
  return openedAt <= at && at < wantedUntil(world, turn) && at >= darkUntil && !isHushed;
}

const grain = 20;

/** The longest run of moments inside the spans for which `fine` does not hold. */
function longest(spans: Span[], fine: (at: number) => boolean): number {
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
