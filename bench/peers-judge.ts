/** What a contender did for its users, read from the simulated phones and the calls that came. */
import type { ApiCall, Interval, Mark } from '../src/simulator/index.ts';
import { answerTo } from './peers-site.ts';
import { bestOf, type Bounds, type End, type Story, waitOf, waitsOf } from './cover.ts';

/** What one user wrote, and all that the platform saw of that user. Times in ms since 1970. */
export interface Seen {
  /** A text for each message, no two alike. */
  texts: readonly string[];
  marks: readonly Mark[];
  intervals: readonly Interval[];
  calls: readonly ApiCall[];
  /** When the bot failed for a text, the last time. */
  failures: ReadonlyMap<string, number>;
}

export interface Rules extends Omit<Bounds, 'way'> {
  /** Whether an indicator can be taken away. */
  canHide: boolean;
}

export interface Figures {
  messages: number;
  /** Messages without the one answer that they should have: with none, with more. */
  lost: number;
  doubled: number;
  /** Of the users who got all their answers: the time they waited, that typing was shown, that it could have been (ms). */
  waited: number;
  lit: number;
  most: number;
  /** Indicators that came on while nobody waited, or were left on by a bot that had failed; and for how long (ms). */
  ghosts: number;
  ghostMs: number;
  /** Typing calls; those that the platform refused; those that changed nothing. */
  calls: number;
  refused: number;
  wasted: number;
}

export const none: Figures = {
  messages: 0,
  lost: 0,
  doubled: 0,
  waited: 0,
  lit: 0,
  most: 0,
  ghosts: 0,
  ghostMs: 0,
  calls: 0,
  refused: 0,
  wasted: 0,
};

export function plus(one: Figures, other: Figures): Figures {
  const keys = Object.keys(none) as (keyof Figures)[];
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as unknown as Figures;
}

/** @param way How long the n-th call for this user is under way (ms), whoever makes it. */
export function judge(seen: Seen, rules: Rules, way: Bounds['way']): Figures {
  const { texts, marks, intervals, calls, failures } = seen;
  const answers = texts.map((text) => marks.filter((mark) => isAnswer(mark, text)));
  const owed = texts.map((text) => !failures.has(text));
  const ended = texts.map((text): End | null => endOf(seen, text));
  const asked = marks.filter(({ what }) => what === 'sent').map(({ at }) => at);
  const story: Story = { asked, ended: ended.map((end) => end ?? never) };
  const isWhole = ended.every((end) => end !== null);
  const typing = calls.filter(({ path }) => /typing/i.test(path));
  const ghosts = ghostsOf(story, intervals, rules);
  return {
    messages: texts.length,
    lost: answers.filter((all, index) => owed[index] && all.length === 0).length,
    doubled: answers.filter((all, index) => all.length > (owed[index] ? 1 : 0)).length,
    waited: isWhole ? waitOf(story) : 0,
    lit: isWhole ? overlap(intervals, waitsOf(story)) : 0,
    most: isWhole ? bestOf(story, { ...rules, way }) : 0,
    ghosts: ghosts.length,
    ghostMs: ghosts.reduce((all, ms) => all + ms, 0),
    calls: typing.length,
    refused: typing.filter(({ code }) => code !== 0 && code !== null).length,
    wasted: marks.filter(({ what }) => what === 'wasted').length,
  };
}

/** Of a message that nobody answers. */
const never: End = { at: Infinity, known: Infinity, isMessage: false };

function isAnswer({ what, detail }: Mark, text: string): boolean {
  return what === 'received' && detail === answerTo(text);
}

function endOf({ marks, calls, failures }: Seen, text: string): End | null {
  const failed = failures.get(text);
  if (failed !== undefined) return { at: failed, known: failed, isMessage: false };
  const answer = marks.find((mark) => isAnswer(mark, text));
  if (answer === undefined) return null;
  const send = calls.find((call) => call.text === answerTo(text) && call.code === 0);
  return { at: answer.at, known: answer.at + (send?.wayMs ?? 0) / 2, isMessage: true };
}

/** How much of the waits was lit (ms). */
function overlap(intervals: readonly Interval[], waits: readonly [number, number][]): number {
  const shared = intervals.flatMap(({ from, to }) =>
    waits.map(([on, off]) => Math.min(to, off) - Math.max(from, on)),
  );
  return shared.filter((ms) => ms > 0).reduce((all, ms) => all + ms, 0);
}

/** A call that takes an indicator away after a failure needs its way, and one before it may still be on its own (ms). */
const patience = 1_000;

/** For how long each was lit while nobody waited. */
function ghostsOf(story: Story, intervals: readonly Interval[], { canHide }: Rules): number[] {
  const waits = waitsOf(story);
  return intervals.flatMap(({ from, to }) => {
    const wait = waits.find(([on, off]) => on <= from && from < off);
    const starts = wait === undefined ? from : wait[1];
    const until = Math.min(to, ...waits.map(([on]) => on).filter((on) => on >= starts));
    const excused = wait === undefined ? 0 : canHide ? patience : Infinity;
    return until - starts > excused ? [until - starts] : [];
  });
}
