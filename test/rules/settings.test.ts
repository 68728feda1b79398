/** What is written about settings, held against the table of settings that there is. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { files, pathOf } from '../../scripts/settings.ts';
import { variablesOf, type Section } from '../../src/config/fields.ts';
import { processFields } from '../../src/config/settings.ts';
import { about, variableOf } from '../../src/config/values.ts';

const read = (name: string): string => readFileSync(pathOf(name), 'utf8');

test.each(Object.keys(files))('%s is as `npm run docs:settings` writes it', (name) => {
  expect(files[name]?.(read(name))).toBe(read(name));
});

const sections: Section[] = ['wechat', 'nxcloud', 'component'];
/** The host sets these. */
const unsaid = ['NODE_ENV', 'DYNO'];
const all = [
  ...Object.entries(processFields).map(([field, schema]) => ({ variable: variableOf('', field), schema })),
  ...sections.flatMap(variablesOf),
].filter(({ variable }) => !unsaid.includes(variable));

/** The names in the tables' first column; `*_X` stands for both platforms. */
function namesIn(page: string): string[] {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const names = rows.flatMap((line) =>
    [...(line.split('|')[1] ?? '').matchAll(/`([A-Z*][A-Z0-9_*]+)`/g)].map(([, name]) => name ?? ''),
  );
  return names.flatMap((name) =>
    name.startsWith('*') ? [`WECHAT${name.slice(1)}`, `NXCLOUD${name.slice(1)}`] : [name],
  );
}

describe('every setting, and no other,', () => {
  const names = all.map(({ variable }) => variable).toSorted();

  test('says what it is', () => {
    expect(all.filter(({ schema }) => !about.has(schema)).map(({ variable }) => variable)).toEqual([]);
  });

  test.each(['docs/settings.md', 'docs/settings.zh-CN.md'])('stands in %s once', (name) => {
    expect(namesIn(read(name)).toSorted()).toEqual(names);
  });

  test('stands in .env.example once', () => {
    const example = [...read('.env.example').matchAll(/^#([A-Z][A-Z0-9_]+)=/gm)].map(
      ([, name]) => name ?? '',
    );
    expect(example.toSorted()).toEqual(names);
  });

  test('stands in app.json, but for those that Heroku sets or has no use for', () => {
    const { env } = JSON.parse(read('app.json')) as { env: Record<string, unknown> };
    const named = all.filter(({ schema }) => about.get(schema)?.heroku !== false);
    expect(Object.keys(env).toSorted()).toEqual(named.map(({ variable }) => variable).toSorted());
  });
});
