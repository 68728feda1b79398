/**
 * Long answers, whose loss others have met: https://github.com/w7corp/easywechat/issues/2742 and
 * https://github.com/w7corp/easywechat/issues/1383
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutText } from '../../src/wechat/split.ts';

const longest = 2048;
const ending = '…（未完）';

function partsOf(text: string, most = Infinity): { parts: string[]; from: number[]; rest: string } {
  const parts: string[] = [];
  const from: number[] = [];
  let next: number | null = 0;
  while (next !== null && parts.length < most) {
    from.push(next);
    const cut: ReturnType<typeof cutText> = cutText(text, {
      from: next,
      most: most - parts.length,
      ending,
    });
    parts.push(cut.part);
    next = cut.next;
  }
  return { parts, from, rest: next === null ? '' : text.slice(next) };
}

/** What is between the parts, if each stands where it was cut. */
function gaps(text: string, { parts, from }: { parts: string[]; from: number[] }): string[] {
  return parts.map((part, index) => {
    const at = text.indexOf(part, from[index]);
    expect(text.slice(from[index], at).trim()).toBe('');
    return text.slice(at + part.length, from[index + 1] ?? text.length);
  });
}

function startsOf(text: string): Set<number> {
  return new Set([...new Intl.Segmenter(undefined).segment(text)].map(({ index }) => index)).add(text.length);
}

const family = '👨‍👩‍👧‍👦';
const flag = '🇨🇳';
const url = `https://example.com/${'path/'.repeat(40)}?q=${'%E4%BD%A0'.repeat(20)}`;
const link = `<a href="weixin://bizmsgmenu?msgmenucontent=好 的&msgmenuid=1">${'点这里'.repeat(30)}</a>`;

const piece = fc.oneof(
  fc.constantFrom(
    family,
    flag,
    '👍🏽',
    'é'.normalize('NFD'),
    '가'.normalize('NFD'),
    '\r\n',
    '\n\n',
    '\n    ',
    ' ',
  ),
  fc.constantFrom(
    ` ${url} `,
    link,
    '今天天气很好，我们去公园吧。',
    'It is 3.14, e.g. Version 2.0!',
    '"Yes." ',
  ),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('中', '文', '。', 'a', ' '), maxLength: 900 }),
);
const texts = fc
  .array(piece, { minLength: 20, maxLength: 120, size: 'max' })
  .map((pieces) => pieces.join(''));

const count = (of: string, unit: string): number => of.split(unit).length - 1;
const bare = (of: string): string => of.replaceAll(/\s/gu, '');
const words = (n: number): string => 'word '.repeat(n).trim();
const han = (bytes: number): string => '字'.repeat(bytes / 3);

describe('a long text', () => {
  test('is cut into parts that WeChat takes, of which nothing but blanks is lost, and nothing is cut in two', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const cut = partsOf(text);
        for (const part of cut.parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(longest);
        expect(gaps(text, cut).join('').trim()).toBe('');
        const starts = startsOf(text);
        expect(cut.from.every((at) => starts.has(at))).toBe(true);
        const units = [url, link];
        for (const unit of units) {
          const inParts = cut.parts.reduce((sum, part) => sum + count(part, unit), 0);
          expect(inParts).toBe(count(text, unit));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('ends with what says so where there are no more parts, and the rest is what was not in them', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 5 }), (text, most) => {
        const { parts, rest } = partsOf(text, most);
        expect(parts.length).toBeLessThanOrEqual(most);
        for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(longest);
        if (rest === '') return;
        expect(parts.at(-1)?.endsWith(ending)).toBe(true);
        expect(rest.trimStart().length).toBeGreaterThan(0);
        const shown = parts.join('').slice(0, -ending.length);
        expect(bare(shown) + bare(rest)).toBe(bare(text));
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    ['a paragraph', `${han(1500)}。\nline\n\n`, han(900)],
    ['a line', `${han(1500)}。more`, `\n${han(900)}`],
    ['a sentence', `${han(1500)}。”`, han(900)],
    ['a sentence of letters', `${words(300)} Ver. 2.0 is out.`, ` ${words(150)}`],
    ['a word', words(409), ` ${words(300)}`],
  ])('is cut at the end of %s', (_, first, second) => {
    const { parts } = partsOf(first + second);
    expect(parts).toEqual([first.trim(), second.trim()]);
  });

  test('keeps how far a line of code stands in', () => {
    const { parts } = partsOf(`${han(1800)}\n    return ${han(900)}`);
    expect(parts[1]?.startsWith('    return 字')).toBe(true);
  });

  test('is cut where it looks bad rather than not all sent', () => {
    const paragraphs = Array.from({ length: 7 }, () => han(1350)).join('\n\n');
    expect(partsOf(paragraphs).parts).toHaveLength(7);
    const { parts, rest } = partsOf(paragraphs, 4);
    expect(parts.length).toBe(4);
    expect(rest).not.toBe('');
    expect(Buffer.byteLength(parts[0] ?? '')).toBeGreaterThan(1900);
    const fits = Array.from({ length: 5 }, () => han(1350)).join('\n\n');
    expect(partsOf(fits, 4).rest).toBe('');
  });

  test('without a place to cut is cut all the same: a link, or a character, longer than a message', () => {
    const long = `https://example.com/${'a'.repeat(5000)}`;
    expect(partsOf(`see ${long}`).parts.join('')).toBe(`see${long}`);
    const zalgo = `a${'\u0301'.repeat(3000)}`;
    expect(partsOf(zalgo).parts.join('')).toBe(zalgo);
  });

  test('of blanks alone, or with many before it, sends no empty part', () => {
    expect(partsOf(`${' '.repeat(5000)}x`).parts).toEqual(['x']);
    expect(partsOf(`x${' '.repeat(5000)}`).parts).toEqual(['x']);
    expect(partsOf(`x\n${' '.repeat(5000)}y`).parts).toEqual(['x', 'y']);
  });

  test('is cut in a time that does not depend on its length, nor on what it holds', () => {
    for (const unit of ['<a ', 'www.', 'http://', '\n ', ' ', 'a.', '🇨', '"']) {
      const began = performance.now();
      cutText(unit.repeat(300_000), { from: 0, most: 4, ending });
      expect(performance.now() - began).toBeLessThan(1_000);
    }
  });
});
