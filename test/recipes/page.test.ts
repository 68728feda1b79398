import { expect, test } from 'vitest';
import { codeBlocks, readPage } from './recipe.ts';

test('both languages of the page show the same code', async () => {
  const [english, chinese] = await Promise.all(['recipes.md', 'recipes.zh-CN.md'].map(readPage));
  const blocks = codeBlocks(english ?? '');
  expect(blocks.length).toBeGreaterThan(10);
  expect(codeBlocks(chinese ?? '')).toEqual(blocks);
});

test.each(['recipes.md', 'recipes.zh-CN.md'])(
  '%s: every link of the table leads to a heading',
  async (name) => {
    const page = await readPage(name);
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
    const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(10);
    expect(links.filter((link) => !anchors.includes(link ?? ''))).toEqual([]);
  },
);

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}
