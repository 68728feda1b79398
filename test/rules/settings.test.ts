/** What is written about settings, held against the settings that there are. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

/** The names as README lists them; `*_X` stands for both platforms. */
function documented(readme: string): string[] {
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'));
  const names = rows.flatMap((line) =>
    [...(line.split('|')[1] ?? '').matchAll(/`([A-Z*][A-Z0-9_*]+)`/g)].map(([, name]) => name ?? ''),
  );
  return names.flatMap((name) =>
    name.startsWith('*') ? [`WECHAT${name.slice(1)}`, `NXCLOUD${name.slice(1)}`] : [name],
  );
}

const names = documented(read('README.md'));

test('README lists the settings, in both languages the same', () => {
  expect(names).toContain('REDIS_URL');
  expect(names.length).toBeGreaterThan(40);
  expect(documented(read('README.zh-CN.md'))).toEqual(names);
});

test('.env.example names each of them, and no other', () => {
  const example = [...read('.env.example').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(
    ([, name]) => name ?? '',
  );
  expect(new Set(example)).toEqual(new Set(names));
});

test('app.json describes only settings that there are', () => {
  const { env } = JSON.parse(read('app.json')) as { env: Record<string, unknown> };
  expect(Object.keys(env).filter((name) => !names.includes(name))).toEqual([]);
});
