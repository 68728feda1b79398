/** What the last hour was like, kept up to date record by record. No user is in it. */
import { type Notice, wasWanted } from '../core/notice.ts';
import { unanswered } from '../core/state.ts';
import type { JournalRecord } from '../journal/record.ts';
import type { AccountRow, Distribution } from './wire.ts';

export interface Hour {
  add(record: JournalRecord): void;
  forget(now: number): void;
  /** By account and of all; the names are those that `add` uses below. */
  readonly all: Tally;
  of(account: string): Tally;
  /** What mends a code, as it was said last. */
  remedy(account: string, code: number): string | null;
  breaker(account: string, now: number): AccountRow['breaker'];
  /** What its bot looks like, in a sentence; null: nothing else than it is set for. */
  look(account: string): string | null;
}

type EndedNotice = Extract<Notice, { is: 'ended' }>;
type BreakerSeen = { state: AccountRow['breaker']; at: number };

/** A process that has not said anything for so long is gone, and its breakers with it (ms). */
const breakerKept = 10 * 60_000;
/** While it looks so it is told every half hour (ms). */
const lookKept = 60 * 60_000;

export function createHour(): Hour {
  const all = createTally();
  const tallies = new Map<string, Tally>();
  const remedies = new Map<string, string>();
  const breakers = new Map<string, Map<string, BreakerSeen>>();
  const looks = new Map<string, { reason: string; at: number }>();
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
      if (notice.is === 'look') looks.set(account, notice);
      // It is mended.
      if (notice.is === 'ended' && !unanswered.includes(notice.by)) looks.delete(account);
      if (notice.is === 'skipped') all.add(notice.at, `untyped ${notice.reason}`);
      if (notice.is === 'delivery' && notice.way === 'impossible') of(account).add(notice.at, 'impossible');
      if (notice.is === 'outbound' && notice.isMore) of(account).add(notice.at, 'more');
      if (notice.is === 'refused') of(account).add(notice.at, `not taken ${notice.reason}`, notice.count);
      if (notice.is === 'bot') countBot(notice, of(account));
      if (notice.is === 'call') countCall(notice, of(account));
      if (notice.is === 'call' && notice.remedy) remedies.set(`${account} ${notice.code}`, notice.remedy);
      if (notice.is !== 'breaker') return;
      const known = breakers.get(account) ?? new Map<string, BreakerSeen>();
      breakers.set(account, known.set(by ?? '', { state: notice.state, at: notice.at }));
    },
    forget: (now) => {
      for (const tally of [all, ...tallies.values()]) tally.forget(now);
      for (const [account, { at }] of looks) if (now - at > lookKept) looks.delete(account);
    },
    remedy: (account, code) => remedies.get(`${account} ${code}`) ?? null,
    breaker: (account, now) => worstOf(breakers.get(account), now),
    look: (account) => looks.get(account)?.reason ?? null,
  };
}

function countEnd(
  { at, by, waitMs, litMs, untyped }: EndedNotice,
  { all, own }: Record<'all' | 'own', Tally>,
): void {
  own.add(at, 'ended');
  own.add(at, `end ${by}`);
  if (untyped !== null) all.add(at, `untyped ${untyped}`);
  if (!unanswered.includes(by)) {
    own.add(at, `wait ${binOf(waitMs / 1000)}`);
    all.add(at, `wait ${bucketOf(waitBounds, waitMs / 1000)}`);
  }
  if (waitMs < 1_000 || !wasWanted(untyped)) return;
  const lit = Math.min(litMs, waitMs);
  own.add(at, 'waited', waitMs);
  own.add(at, 'lit', lit);
  all.add(at, `cover ${bucketOf(coverBounds, lit / waitMs)}`);
}

function countCall({ at, kind, outcome, code }: Extract<Notice, { is: 'call' }>, own: Tally): void {
  if (kind !== 'interim') own.add(at, 'call');
  if (outcome !== 'done' && outcome !== 'already') own.add(at, `refused ${code} ${outcome}`);
}

function countBot({ at, result, why }: Extract<Notice, { is: 'bot' }>, own: Tally): void {
  if (result === 'answered') own.add(at, 'answered');
  if (result === 'failed') own.add(at, `bot ${why ?? ''}`);
}

function worstOf(breakers: ReadonlyMap<string, BreakerSeen> | undefined, now: number): AccountRow['breaker'] {
  const states = [...(breakers?.values() ?? [])]
    .filter(({ at }) => at > now - breakerKept)
    .map(({ state }) => state);
  return (['open', 'half-open'] as const).find((state) => states.includes(state)) ?? 'closed';
}

/** Waits and covers as counts, so that an hour of them can be added up and taken apart again. */

/** In s. */
export const waitBounds = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600];
export const coverBounds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/** Neighbouring bins differ by so much: what is read off them is right within 3 %. */
const ratio = 1.06;
const least = 0.01;

/** The bin of a wait of so many seconds. */
export function binOf(seconds: number): number {
  return Math.round(Math.log(Math.max(seconds, least) / least) / Math.log(ratio));
}

/** The p-quantile (0…1) in s of what is counted by bin; null of nothing. */
export function quantile(bins: readonly [bin: string, count: number][], p: number): number | null {
  const sorted = bins.map(([bin, count]) => [Number(bin), count] as const).toSorted(([a], [b]) => a - b);
  const all = sorted.reduce((sum, [, count]) => sum + count, 0);
  let left = Math.ceil(p * all);
  for (const [bin, count] of sorted) {
    left -= count;
    if (left <= 0) return Number((least * ratio ** bin).toPrecision(3));
  }
  return null;
}

/** Which of the counts a value belongs to. */
export function bucketOf(bounds: readonly number[], value: number): number {
  const place = bounds.findIndex((bound) => value <= bound);
  return place < 0 ? bounds.length : place;
}

export function distributionOf(
  bounds: readonly number[],
  places: readonly [place: string, count: number][],
): Distribution {
  const counts = [...bounds, 0].map(() => 0);
  for (const [place, count] of places) counts[Number(place)] = count;
  return { bounds: [...bounds], counts };
}

/** Counts by name, of a moving hour: each minute is added as it comes and taken back as it goes. */

type Counts = Map<string, number>;

interface Tally {
  add(at: number, name: string, count?: number): void;
  /** Takes back what is older than an hour. */
  forget(now: number): void;
  /** Of the hour. */
  readonly total: ReadonlyMap<string, number>;
  /** Of the last full minute. */
  lastMinute(now: number, name: string): number;
}

const minute = 60_000;
const kept = 60;

export function createTally(): Tally {
  const total: Counts = new Map();
  const minutes = new Map<number, Counts>();
  return {
    total,
    add: (at, name, count = 1) => {
      const slot = slotOf(at);
      const counts: Counts = minutes.get(slot) ?? new Map();
      minutes.set(slot, counts);
      bump(counts, name, count);
      bump(total, name, count);
    },
    forget: (now) => {
      for (const [slot, counts] of minutes) {
        if (slot > slotOf(now) - kept) continue;
        for (const [name, count] of counts) bump(total, name, -count);
        minutes.delete(slot);
      }
    },
    lastMinute: (now, name) => minutes.get(slotOf(now) - 1)?.get(name) ?? 0,
  };
}

/** What `names` count whose name begins so, by the rest of it; most first. */
export function under(counts: ReadonlyMap<string, number>, start: string): [rest: string, count: number][] {
  return [...counts]
    .flatMap(([name, count]): [string, number][] =>
      name.startsWith(start) ? [[name.slice(start.length), count]] : [],
    )
    .toSorted(([, a], [, b]) => b - a);
}

function bump(counts: Counts, name: string, by: number): void {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}

function slotOf(at: number): number {
  return Math.floor(at / minute);
}
