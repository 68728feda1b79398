/** What is said to whoever looks after keeptyping: each sentence in both languages, and the Chinese one found again. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { chinese, inChinese } from '../../src/core/chinese.ts';

const root = fileURLToPath(new URL('../../src/', import.meta.url));
const sources = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== join('core', 'chinese.ts'))
    .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);
const pairs = Object.entries(chinese);
const han = /\p{Script=Han}/u;

function namesIn(sentence: string): string[] {
  return [...sentence.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name).toSorted();
}

/** As sentences have them: names, numbers, URLs. */
const values = ['wechat/shop', '48001 (api unauthorized)', 'http://bot:8000/wechat'];

function filled(sentence: string, from: number): string {
  const names = [...new Set(namesIn(sentence))];
  return sentence.replaceAll(
    /\{(\w+)\}/g,
    (_, name: string) => values[(from + names.indexOf(name)) % values.length] ?? '',
  );
}

describe('each sentence', () => {
  test.each(pairs)('%s', (english, said) => {
    expect(namesIn(said)).toEqual(namesIn(english));
    expect(/^[\w.]*$/.test(said) || han.test(said)).toBe(true);
    expect(said.endsWith('。')).toBe(english.endsWith('.'));
    // The journal keeps no more, and what is cut is not found again.
    expect(english.length).toBeLessThan(220);
  });

  test.each(pairs)('is found again by what it has become: %s', (english, said) => {
    for (const from of values.keys()) {
      expect(inChinese(filled(english, from))).toBe(filled(said, from));
    }
  });
});

describe('what is said together', () => {
  const ended = pairs.filter(([english]) => english.endsWith('.'));

  test('is said sentence by sentence', () => {
    const [before] = ended;
    for (const [english, said] of ended)
      expect(inChinese(`${filled(before?.[0] ?? '', 0)} ${filled(english, 1)}`)).toBe(
        `${filled(before?.[1] ?? '', 0)}${filled(said, 1)}`,
      );
  });

  test('faults in a row', () => {
    expect(inChinese('token must be JSON; nothing of ours; appId is no AppID')).toBe(
      'token 必须是 JSON；nothing of ours; appId 不是 AppID',
    );
  });

  test('what another release has said stays as it is', () => {
    expect(inChinese('Do what nobody here knows. Start the bot.')).toBe(
      'Do what nobody here knows. 请启动机器人。',
    );
  });
});

describe('the table', () => {
  test('holds no sentence that nobody says', () => {
    const all = [...sources.values()].join('\n').replaceAll("\\'", "'");
    const unsaid = pairs.filter(([english]) => {
      const parts = english.split(/\{\w+\}|[,:;()]/).map((part) => part.trim());
      const telling = parts.filter(({ length }) => length > 6);
      return telling.length > 0 && !telling.some((part) => all.includes(part));
    });
    expect(unsaid.map(([english]) => english)).toEqual([]);
  });

  test('holds all that is said of a wrong setting', () => {
    const config = [...sources].filter(([path]) => path.startsWith('config')).map(([, source]) => source);
    const found = config.flatMap((source) => [
      ...source.matchAll(/\berror(?::| =) (?:'((?:must|is) [^'\n]*)'|`((?:must|is) [^`\n]*)`)/g),
    ]);
    const faults = found.map(([, plain = '', filling = '']) => `BOT_URL ${plain}${filling}`);
    expect(faults.length).toBeGreaterThan(30);
    expect(faults.filter((fault) => !han.test(inChinese(fault)))).toEqual([]);
  });

  test('is served to the console’s page as it stands', () => {
    const source = readFileSync(join(root, 'core', 'chinese.ts'), 'utf8');
    // oxlint-disable-next-line no-implied-eval, no-new-func -- TypeScript in it does not parse
    expect(() => new Function(source.replaceAll(/^export /gm, ''))).not.toThrow();
  });
});
