/**
 * The best cover of the waits that the platform's rules and the way to its API allow: what somebody would reach who
 * learns of each answer as soon as it is there, loses no time himself, and must never be refused for being early, so
 * counts on the shortest way there and back.
 */

/** One user's waits. Times in ms. */
export interface Story {
  asked: number[];
  ended: End[];
}

/** Of one wait. */
export interface End {
  /** When it took effect. */
  at: number;
  /** When whoever caused it could know that. */
  known: number;
  /** A message takes the indicator away, and is an interaction; a bot that has failed does neither. */
  isMessage: boolean;
}

/** What the best is bound by (ms). */
export interface Bounds {
  /** An indicator stays so long… */
  lifetime: number;
  /** …and needs a message of either side at most so long ago. */
  window: number;
  /** The shortest way there and back to the API. */
  shortest: number;
  /** How long the n-th call for this user is under way, there and back; counted from 0. */
  way: (n: number) => number;
}

/** When somebody waits: from a message until there are as many ends. */
export function waitsOf({ asked, ended }: Story): [number, number][] {
  const marks = [...asked.map((at) => [at, 1] as const), ...ended.map(({ at }) => [at, -1] as const)];
  const waits: [number, number][] = [];
  let [open, from] = [0, 0];
  for (const [at, change] of marks.toSorted(([a], [b]) => a - b)) {
    if (open === 0) from = at;
    open += change;
    if (open === 0) waits.push([from, at]);
  }
  return waits;
}

export function waitOf(story: Story): number {
  return waitsOf(story).reduce((all, [from, to]) => all + to - from, 0);
}

/** For how long it was lit while somebody waited. @param begun When indicators began. */
function litOf(story: Story, begun: readonly number[], lifetime: number): number {
  const ends = story.ended.filter(({ isMessage }) => isMessage).map(({ at }) => at);
  const lit = begun.map((from, index) => {
    const off = ends.filter((at) => at > from);
    return [from, Math.min(from + lifetime, begun[index + 1] ?? Infinity, ...off)] as const;
  });
  const during = ([from, to]: [number, number]): number =>
    lit.reduce((all, [on, off]) => all + Math.max(0, Math.min(to, off) - Math.max(from, on)), 0);
  return waitsOf(story).reduce((all, wait) => all + during(wait), 0);
}

/** For how long it could have been lit while somebody waited. */
export function bestOf(story: Story, { lifetime, window, shortest, way: wayOf }: Bounds): number {
  const begun: number[] = [];
  const messages = story.ended.filter(({ isMessage }) => isMessage).toSorted((a, b) => a.at - b.at);
  // A message in either direction opens the window.
  const heardAt = [...story.asked, ...messages.map(({ known }) => known)].toSorted((a, b) => a - b);
  for (const [from, to] of waitsOf(story)) {
    for (let leaves = from; leaves < to;) {
      const way = wayOf(begun.length);
      const at = leaves + way / 2;
      const heard = Math.max(...heardAt.filter((each) => each <= leaves));
      const next = heardAt.find((each) => each > leaves) ?? Infinity;
      if (at - heard > window) {
        leaves = next;
        continue;
      }
      begun.push(at);
      const renews = at + way / 2 + lifetime - shortest;
      const cleared = messages.find((message) => message.at > leaves && message.at < renews);
      leaves = cleared ? Math.max(cleared.known, at + way / 2) : renews;
    }
  }
  return litOf(story, begun, lifetime);
}
