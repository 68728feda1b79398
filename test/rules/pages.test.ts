/** The pages of docs/ and README: where their links lead, and each Chinese page held against the English one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const docs = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .toSorted()
  .map((name) => `docs/${name}`);
const chinesePages = docs.filter((path) => path.endsWith('.zh-CN.md'));
/** Written in each language for its readers, as README is; the settings' tables are made from one source. */
const free = ['docs/operations.md', 'docs/settings.md'];
const all = docs
  .map((path) => ({ path, chinesePath: inChinese(path) }))
  .filter(({ path, chinesePath }) => path !== chinesePath && chinesePages.includes(chinesePath));
const pairs = all.filter(({ path }) => !free.includes(path));

const codeBlock = /^```.*?^```$/gms;

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function prose(page: string): string {
  return page.replaceAll(codeBlock, '');
}

function inChinese(path: string): string {
  return path.replace(/(?<!\.zh-CN)\.md$/, '.zh-CN.md');
}

function headingsOf(page: string): { level: number; text: string }[] {
  return [...prose(page).matchAll(/^(#+) (.*)$/gm)].map(([, { length } = '', text = '']) => ({
    level: length,
    text,
  }));
}

function levelsOf(page: string): number[] {
  return headingsOf(page).map(({ level }) => level);
}

/** As GitHub makes them. */
function anchorsOf(page: string): string[] {
  return headingsOf(page).map(({ text }) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  );
}

/** Paths from the root; what leads to another host is left out. */
function linksOf(path: string): { to: string; heading: string }[] {
  return [...prose(read(path)).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(
    ([, file = '', heading = '']) => ({ to: file === '' ? path : join(dirname(path), file), heading }),
  );
}

/** What stands for something else, such as `<your host>`, is in the page's language. */
function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll(/<[^>]*>/g, '<>'));
}

/** For each text between two headings, once each: another language may say them in another order. */
function codeOfSections(page: string): string[][] {
  const sections = prose(page).split(/^#+ .*$/gm);
  return sections.map((section) => [...new Set(codeIn(section))].toSorted());
}

function rowsOf(page: string): { columns: number; names: string[] }[] {
  return [...prose(page).matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) => {
    const cells = row.split('|');
    return { columns: cells.length, names: codeIn(cells[0] ?? '') };
  });
}

test.each([...docs, 'README.md', 'README.zh-CN.md'])(
  '%s: its links lead to files and headings that there are',
  (path) => {
    const astray = linksOf(path).filter(
      ({ to, heading }) =>
        !existsSync(join(root, to)) || (heading !== '' && !anchorsOf(read(to)).includes(heading)),
    );
    expect(astray).toEqual([]);
  },
);

test('README in Chinese leads to the Chinese pages', () => {
  const targets = linksOf('README.zh-CN.md').map(({ to }) => to);
  expect(targets.filter((to) => pairs.some(({ path }) => path === to))).toEqual([]);
});

test('each Chinese page is that of an English one', () => {
  expect(chinesePages.length).toBeGreaterThan(5);
  expect(all.map(({ chinesePath }) => chinesePath)).toEqual(chinesePages);
});

describe.each(pairs)('$path and its Chinese page', ({ path, chinesePath }) => {
  const [english, chinese] = [read(path), read(chinesePath)];

  test('lead to each other in their heads', () => {
    expect([linksOf(path)[0]?.to, linksOf(chinesePath)[0]?.to]).toEqual([chinesePath, path]);
  });

  test('have the same headings', () => {
    expect(levelsOf(chinese)).toEqual(levelsOf(english));
  });

  test('have the same tables: rows, columns, and the names in the first one', () => {
    expect(rowsOf(chinese)).toEqual(rowsOf(english));
  });

  test('have the same code, in blocks and in each section’s text', () => {
    expect(chinese.match(codeBlock)).toEqual(english.match(codeBlock));
    expect(codeOfSections(chinese)).toEqual(codeOfSections(english));
  });

  test('lead to the same pages, to Chinese ones where there are such', () => {
    const targets = (from: string): string[] =>
      linksOf(from)
        .slice(1)
        .map(({ to }) => (from === path && existsSync(join(root, inChinese(to))) ? inChinese(to) : to));
    expect(targets(chinesePath).toSorted()).toEqual(targets(path).toSorted());
  });
});
