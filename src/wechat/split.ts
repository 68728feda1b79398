/** Cuts a text that is longer than WeChat takes in one message. */

/**
 * Bytes of UTF-8, as measured: https://github.com/MamaShip/Observer/issues/77. More is refused as a custom message
 * (45002), and dropped without a word as a webhook's answer.
 */
export const longestText = 2048;

interface Cut {
  part: string;
  /** Where the next part begins; null: nothing is left. */
  next: number | null;
}

interface HowToCut {
  from: number;
  /** So many parts there may be, this one included. */
  most: number;
  /** Stands at the end of the last one if that is not the end of the text. */
  ending: string;
}

/** The next part of a text. Blanks around a cut belong to neither side. */
export function cutText(text: string, { from, most, ending }: HowToCut): Cut {
  const rest = text.slice(from);
  const size = Buffer.byteLength(rest);
  if (size <= longestText) return { part: rest, next: null };
  const end = most > 1 ? '' : ending;
  // Fuller than it would look best where that saves the end of the text.
  const needed = (size - (most - 1) * longestText) / longestText;
  const at = placeOfCut(rest, {
    limit: longestText - Buffer.byteLength(end),
    filled: Math.min(0.9, Math.max(0.5, needed)),
  });
  const part = rest.slice(0, at).trimEnd();
  const next = from + at + (blanks.exec(rest.slice(at))?.[0].length ?? 0);
  // WeChat takes no empty message.
  if (part === '') return cutText(text, { from: next, most, ending });
  return text.slice(next).trim() === '' ? { part, next: null } : { part: `${part}${end}`, next };
}

/** Empty lines, but not how far the next line stands in. */
const blanks = /^(?:\s*\n|\s+)/;

/** What is good for nothing in halves: a link as WeChat knows it, and a bare address. */
const whole =
  /<a\b[^<>]*>[^<]*<\/a>|\b(?:[a-z][a-z\d+.-]{1,20}:\/\/|www\.)[^\s<>"“”‘’，。；：！？、（）《》【】…]+/giu;
/** So far behind the cut it is looked for what must stay whole. */
const ahead = longestText;

const paragraph = /\r?\n\s*\n/gu;
const line = /\r?\n/gu;
const sentence = /(?:[。！？…；]|[.!?](?=["')\]]*\s))+["'”’」』）》】)\]]*/gu;

/** @param how.filled A cut before this share of what fits is not worth its message, however well it looks. */
function placeOfCut(text: string, { limit, filled }: { limit: number; filled: number }): number {
  const fits = new TextEncoder().encodeInto(text, new Uint8Array(limit)).read;
  const seen = text.slice(0, fits + ahead);
  const characters = startsIn(seen, 'grapheme').filter((at) => at > 0 && at <= fits);
  const wholes = [...seen.matchAll(whole)].map(({ index, 0: { length } }) => ({
    index,
    end: index + length,
  }));
  const isWithin = (at: number): boolean => wholes.some(({ index, end }) => index < at && at < end);
  const allowed = new Set(characters.filter((at) => !isWithin(at)));
  const ends = [...seen.matchAll(sentence)].map(({ index, 0: { length } }) => index + length);
  const choices = [
    { places: [...seen.matchAll(paragraph)].map(({ index }) => index), least: filled },
    { places: [...seen.matchAll(line)].map(({ index }) => index), least: filled },
    { places: ends, least: filled },
    { places: startsIn(seen, 'word'), least: 0.5 },
    { places: [...allowed], least: 0 },
    // One that is longer than a message.
    { places: characters, least: 0 },
  ];
  for (const { places, least } of choices) {
    const isGood = (at: number): boolean => at >= fits * least && (allowed.has(at) || places === characters);
    const at = places.findLast(isGood);
    if (at !== undefined) return at;
  }
  return fits;
}

function startsIn(text: string, granularity: 'grapheme' | 'word'): number[] {
  return [...new Intl.Segmenter(undefined, { granularity }).segment(text)].map(({ index }) => index);
}
