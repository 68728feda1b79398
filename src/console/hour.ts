/** What the last hour was like, kept up to date record by record. No user is in it. */
import { wasWanted, type Notice } from '../core/notice.ts';
import { binOf, coverBounds, placeOf, waitBounds } from './measures.ts';
import type { JournalRecord } from './ports.ts';
import { createTally, type Tally } from './tally.ts';
import type { AccountRow } from './wire.ts';

export interface Hour {
  add(record: JournalRecord): void;
  forget(now: number): void;
  /** By account and of all; the names are those that `add` uses below. */
  readonly all: Tally;
  of(account: string): Tally;
  /** What mends a code, as it was said last. */
  remedy(account: string, code: number): string | null;
  breaker(account: string, now: number): AccountRow['breaker'];
}

type Ended = Extract<Notice, { is: 'ended' }>;
type Breaker = { state: AccountRow['breaker']; at: number };

/** A process that has not said anything for so long is gone, and its breakers with it (ms). */
const breakerKept = 10 * 60_000;
/** Ends without an answer. */
const unanswered: readonly Ended['by'][] = [
  'deadline',
  'deliveries',
  'left',
  'crowded',
  'handoff',
  'reply-failed',
];

export function createHour(): Hour {
  const all = createTally();
  const tallies = new Map<string, Tally>();
  const remedies = new Map<string, string>();
  const breakers = new Map<string, Map<string, Breaker>>();
  const of = (account: string): Tally => {
    const tally = tallies.get(account) ?? createTally();
    tallies.set(account, tally);
    return tally;
  };
  return {
    all,
    of,
    add: ({ notice, by }) => {
      if (!('account' in notice)) return;
      const account = `${notice.channel}/${notice.account}`;
      if (notice.is === 'ended') countEnd(notice, { all, own: of(account) });
      if (notice.is === 'skipped') all.add(notice.at, `untyped ${notice.reason}`);
      if (notice.is === 'call') countCall(notice, of(account));
      if (notice.is === 'call' && notice.remedy) remedies.set(`${account} ${notice.code}`, notice.remedy);
      if (notice.is !== 'breaker') return;
      const known = breakers.get(account) ?? new Map<string, Breaker>();
      breakers.set(account, known.set(by ?? '', { state: notice.state, at: notice.at }));
    },
    forget: (now) => {
      for (const tally of [all, ...tallies.values()]) tally.forget(now);
    },
    remedy: (account, code) => remedies.get(`${account} ${code}`) ?? null,
    breaker: (account, now) => worstOf(breakers.get(account), now),
  };
}

function countEnd(
  { at, by, waitMs, litMs, untyped }: Ended,
  { all, own }: Record<'all' | 'own', Tally>,
): void {
  own.add(at, 'ended');
  own.add(at, `end ${by}`);
  if (untyped !== null) all.add(at, `untyped ${untyped}`);
  if (!unanswered.includes(by)) {
    own.add(at, `wait ${binOf(waitMs / 1000)}`);
    all.add(at, `wait ${placeOf(waitBounds, waitMs / 1000)}`);
  }
  if (waitMs < 1_000 || !wasWanted(untyped)) return;
  const lit = Math.min(litMs, waitMs);
  own.add(at, 'waited', waitMs);
  own.add(at, 'lit', lit);
  all.add(at, `cover ${placeOf(coverBounds, lit / waitMs)}`);
}

function countCall({ at, kind, outcome, code }: Extract<Notice, { is: 'call' }>, own: Tally): void {
  if (kind !== 'interim') own.add(at, 'call');
  if (outcome !== 'done' && outcome !== 'already') own.add(at, `refused ${code} ${outcome}`);
}

function worstOf(breakers: ReadonlyMap<string, Breaker> | undefined, now: number): AccountRow['breaker'] {
  const states = [...(breakers?.values() ?? [])]
    .filter(({ at }) => at > now - breakerKept)
    .map(({ state }) => state);
  return (['open', 'probing'] as const).find((state) => states.includes(state)) ?? 'closed';
}
