/**
 * What typing covers of the waits, beside the best that WeChat's rules and the way to its API allow: what somebody would
 * reach who learns of each answer as soon as it is there, loses no time himself, and must never be refused for being
 * early, so counts on the shortest way there and back.
 */
import type { Pushed } from './turns-load.ts';
import type { Noted } from './turns-site.ts';

/** WeChat's: an indicator stays so long; it needs a message of the user's at most so long ago (ms). */
const lifetime = 15_000;
const window = 30_000;

/** One user's messages, and all that the platform saw of that user. Times in ms. */
interface Story {
  asked: number[];
  /** When the answers took effect; each takes the indicator away. `known`: when whoever sent it could know. */
  answered: { at: number; known: number }[];
  calls: Noted['typing'];
}

/** @param shortest The shortest way there and back to the API (ms). */
export function coverBeside(
  pushed: readonly Pushed[],
  noted: Noted,
  { shortest }: { shortest: number },
): { cover: number; best: number; ratio: number; refused: number; unanswered: number } {
  const stories = storiesOf(pushed, noted);
  const whole = stories.filter(({ asked, answered }) => asked.length === answered.length);
  const total = (of: (story: Story) => number): number => whole.reduce((all, story) => all + of(story), 0);
  const [waited, lit] = [total(waitOf), total((story) => litOf(story, actualShows(story)))];
  const most = total((story) => litOf(story, bestShows(story, shortest)));
  return {
    cover: lit / waited,
    best: most / waited,
    ratio: lit / most,
    refused: noted.typing.filter(({ code }) => code !== 0).length,
    unanswered: stories.length - whole.length,
  };
}

function storiesOf(pushed: readonly Pushed[], { typing, sent }: Noted): Story[] {
  return [...new Set(pushed.map(({ user }) => user))].map((user) => {
    const own = pushed.filter((each) => each.user === user);
    const inline = own.flatMap(({ inlineAt: at }) => (at === null ? [] : [{ at, known: at }]));
    const late = sent.filter((each) => each.user === user);
    return {
      asked: own.map(({ at }) => at).toSorted((a, b) => a - b),
      answered: [...inline, ...late.map(({ at, took }) => ({ at, known: at + took / 2 }))].toSorted(
        (a, b) => a.at - b.at,
      ),
      calls: typing.filter((each) => each.user === user).toSorted((a, b) => a.at - b.at),
    };
  });
}

/** When somebody waits: from a message until there are as many answers. */
function waitsOf({ asked, answered }: Story): [number, number][] {
  const marks = [...asked.map((at) => [at, 1] as const), ...answered.map(({ at }) => [at, -1] as const)];
  const waits: [number, number][] = [];
  let [open, from] = [0, 0];
  for (const [at, change] of marks.toSorted(([a], [b]) => a - b)) {
    if (open === 0) from = at;
    open += change;
    if (open === 0) waits.push([from, at]);
  }
  return waits;
}

function waitOf(story: Story): number {
  return waitsOf(story).reduce((all, [from, to]) => all + to - from, 0);
}

/** When indicators began, and when something other than time or a message took one away. */
interface Shows {
  begun: number[];
  hidden: number[];
}

function actualShows({ calls }: Story): Shows {
  const begun = calls.filter(({ command, code }) => command === 'Typing' && code === 0);
  const hidden = calls.filter(({ command }) => command !== 'Typing');
  return { begun: begun.map(({ at }) => at), hidden: hidden.map(({ at }) => at) };
}

/** For how long it was lit while somebody waited. */
function litOf(story: Story, { begun, hidden }: Shows): number {
  const ends = [...hidden, ...story.answered.map(({ at }) => at)];
  const lit = begun.map((from, index) => {
    const off = ends.filter((at) => at > from);
    return [from, Math.min(from + lifetime, begun[index + 1] ?? Infinity, ...off)] as const;
  });
  const during = ([from, to]: [number, number]): number =>
    lit.reduce((all, [on, off]) => all + Math.max(0, Math.min(to, off) - Math.max(from, on)), 0);
  return waitsOf(story).reduce((all, wait) => all + during(wait), 0);
}

/** Calls are under way as long as those that were made, in their order. */
function bestShows(story: Story, shortest: number): Shows {
  const ways = story.calls.filter(({ command }) => command === 'Typing').map(({ took }) => took);
  const usual = ways.reduce((all, way) => all + way, 0) / ways.length;
  const begun: number[] = [];
  // A message in either direction opens the window.
  const heardAt = [...story.asked, ...story.answered.map(({ known }) => known)].toSorted((a, b) => a - b);
  for (const [from, to] of waitsOf(story)) {
    for (let leaves = from; leaves < to;) {
      const way = ways[begun.length] ?? usual;
      const at = leaves + way / 2;
      const heard = Math.max(...heardAt.filter((each) => each <= leaves));
      const next = heardAt.find((each) => each > leaves) ?? Infinity;
      if (at - heard > window) {
        leaves = next;
        continue;
      }
      begun.push(at);
      const renews = at + way / 2 + lifetime - shortest;
      const cleared = story.answered.find((answer) => answer.at > leaves && answer.at < renews);
      leaves = cleared ? Math.max(cleared.known, at + way / 2) : renews;
    }
  }
  return { begun, hidden: [] };
}
