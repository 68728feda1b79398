/** ARCHITECTURE.md, held against the source: every file and every name in it is there, and every room is in it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}ARCHITECTURE.md`, 'utf8');
const links = [...page.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, text = '', path = '']) => ({
  text,
  path,
}));

test('every file and folder that it names is there', () => {
  expect(links.length).toBeGreaterThan(60);
  expect(links.filter(({ path }) => !existsSync(root + path))).toEqual([]);
});

test('every name in it is declared in the file that it leads to', () => {
  const names = links.filter(({ text, path }) => text.startsWith('`') && path.endsWith('.ts'));
  expect(names.length).toBeGreaterThan(50);
  expect(names.filter((link) => !isDeclared(link))).toEqual([]);
});

test('every room is in it', () => {
  const rooms = readdirSync(`${root}src`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}/`);
  const named = links.map(({ path }) => path);
  expect(rooms.filter((room) => !named.includes(room))).toEqual([]);
});

test('README is read at one go: at most 200 lines', () => {
  for (const name of ['README.md', 'README.zh-CN.md'])
    expect(
      readFileSync(root + name, 'utf8')
        .trimEnd()
        .split('\n').length,
    ).toBeLessThanOrEqual(200);
});

test('README leads to it in its first screen', () => {
  for (const name of ['README.md', 'README.zh-CN.md'])
    expect(
      readFileSync(root + name, 'utf8')
        .split('\n')
        .slice(0, 40)
        .join('\n'),
    ).toContain('ARCHITECTURE.md');
});

function isDeclared({ text, path }: { text: string; path: string }): boolean {
  const name = text.replaceAll('`', '');
  const declaration = `^(export )?(async )?(function|const|interface|type|class) ${name}\\b`;
  return new RegExp(declaration, 'm').test(readFileSync(root + path, 'utf8'));
}
