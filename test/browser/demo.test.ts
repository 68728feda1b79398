/** The demo page in a real browser, against the phones of the simulator themselves. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DemoStage, openDemoStage } from '../demo/stage.ts';
import type { Mark } from '../../src/simulator/index.ts';
import { accessibilityProblems } from '../support/accessible.ts';
import {
  browserNote,
  browserPath,
  launchBrowser,
  visit as openVisit,
  type Visit,
} from '../support/browser.ts';

/** A browser on a busy machine draws this late at most (ms). */
const late = 400;

describe.skipIf(browserPath === null)(`the demo page${browserNote}`, () => {
  let browser: Browser;
  let stage: DemoStage;
  let visits: Visit[] = [];

  beforeAll(async () => {
    [browser, stage] = await Promise.all([launchBrowser(), openDemoStage()]);
  });

  afterAll(async () => {
    await browser.close();
    await stage.close();
  });

  beforeEach(() => {
    stage.marks.length = 0;
  });

  afterEach(async () => {
    const problems = visits.flatMap((one) => one.problems);
    await Promise.all(visits.map(({ page }) => page.context().close()));
    visits = [];
    if (problems.length > 0) throw new Error(`The page had problems:\n${problems.join('\n')}`);
  });

  /** By default somebody who wants nothing to move by itself, so that nothing plays. */
  async function visit(options: Parameters<typeof openVisit>[2] = {}, path = '/'): Promise<Page> {
    const one = await openVisit(browser, `${stage.url}${path}`, {
      locale: 'en-GB',
      reducedMotion: 'reduce',
      ...options,
    });
    visits.push(one);
    await one.page.locator('#alert').waitFor({ state: 'hidden' });
    return one.page;
  }

  /** The marks of the phone on the page: its message is the first of the four that are sent. */
  function phoneMarks(channel: Mark['channel']): Mark[] {
    const user = stage.marks.find((mark) => mark.channel === channel && mark.what === 'sent')?.user;
    return stage.marks.filter((mark) => mark.channel === channel && mark.user === user);
  }

  test.each([
    { channel: 'wechat', typing: '对方正在输入…', dark: 'Slow bot' },
    { channel: 'nxcloud', typing: 'typing…', dark: 'online' },
  ] as const)(
    'on $channel it shows typing exactly when the phone does',
    async ({ channel, typing, dark }) => {
      const page = await visit();
      await watchIndicators(page);
      await think(page, 2);
      const title = page.locator(`.${channel} .title`);
      expect(await title.textContent()).toBe(dark);
      await write(page, channel, 'How far is the sea?');
      await page.locator(`.${channel} .title`, { hasText: typing }).waitFor();
      await page.locator(`.${channel} .theirs`, { hasText: 'How far is the sea?' }).waitFor();
      expect(await title.textContent()).toBe(dark);
      const marks = phoneMarks(channel).filter(({ what }) => what.startsWith('typing-'));
      const seen = (await indicators(page)).filter((one) => one.channel === channel);
      expect(seen.length).toBeGreaterThanOrEqual(2);
      expect(seen.map(({ lit }) => lit)).toEqual(marks.map(({ what }) => what === 'typing-on'));
      const delays = seen.map(({ at }, index) => at - (marks[index]?.at ?? 0));
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...delays)).toBeLessThan(late);
    },
  );

  test('the picture tells the cover that the phones have: keeptyping, the other bots, then nothing', async () => {
    const page = await visit();
    await think(page, 2);
    await write(page, 'nxcloud', 'hello');
    const label = page.locator(
      '.timeline[data-channel=nxcloud] svg[aria-label*="without typing: typing for 0 %"]',
    );
    await label.waitFor();
    await page.locator('.timeline[data-channel=nxcloud] .interval .answer').waitFor();
    const finished = page.locator(
      '.timeline[data-channel=nxcloud] svg[aria-label*="one typing call: typing for"][aria-label*="dark for"]',
    );
    await finished.waitFor();
    const shares = [...((await finished.getAttribute('aria-label')) ?? '').matchAll(/for (\d+) %/g)].map(
      shareOf,
    );
    const sent = stage.marks.filter(({ what }) => what === 'sent');
    const covers = sent.map(({ user, at }) => {
      const answer = stage.marks.find((mark) => mark.user === user && mark.what === 'received');
      return Math.floor(stage.demo.simulator.nxcloud.phone(user).cover(at, answer?.at ?? 0) * 100);
    });
    expect(shares).toHaveLength(4);
    shares.forEach((share, index) => expect(Math.abs(share - (covers[index] ?? -9))).toBeLessThanOrEqual(2));
    expect(shares[0]).toBeGreaterThan(shares[2] ?? 100);
    expect(shares[1]).toBeGreaterThan(0);
    expect(shares[2]).toBeGreaterThan(0);
    expect(shares[3]).toBe(0);
    expect(await page.locator('.timeline[data-channel=nxcloud] .interval .refused').count()).toBeGreaterThan(
      0,
    );
  });

  test('speaks Chinese to a Chinese browser, and English when asked', async () => {
    const page = await visit({ locale: 'zh-CN' });
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    expect(await page.locator('#troubles-name').textContent()).toBe('弄坏一样东西');
    await think(page, 1);
    await page.locator('.nxcloud button').click();
    await page.locator('.nxcloud .title', { hasText: '正在输入…' }).waitFor();
    await page.locator('.nxcloud .theirs', { hasText: '明天上午多云' }).waitFor();
    expect(await page.locator('.timeline summary').first().textContent()).toBe('全过程');
    await page.locator('.timeline[data-channel=nxcloud] svg[aria-label*="最长中断"]').waitFor();
    expect(await page.getByRole('link', { name: '说明文档' }).getAttribute('href')).toBe(
      '/demo/README.zh-CN.md',
    );
    await page.getByRole('button', { name: 'English' }).click();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(await page.locator('#troubles-name').textContent()).toBe('Break something');
    // A typing call that has crossed the answer on a busy machine shows for WhatsApp's 25 s.
    const title = page.locator('.nxcloud .title');
    await expect.poll(() => title.textContent(), { timeout: 30_000 }).toBe('online');
  });

  test('a bot that fails once is called again: typing goes on and the answer comes', async () => {
    const page = await visit();
    await think(page, 1);
    const button = page.getByRole('button', { name: 'Bot fails once' });
    await button.click();
    await page.locator('[data-trouble=bot][aria-pressed=true]').waitFor();
    expect(await page.locator('#noticed').textContent()).toContain('keeptyping calls it again');
    await write(page, 'wechat', 'hello');
    await page.locator('[data-trouble=bot][aria-pressed=false]').waitFor();
    await page.locator('.wechat .theirs', { hasText: 'hello' }).waitFor();
    expect(phoneMarks('wechat').filter(({ what }) => what === 'received')).toHaveLength(1);
    const from = phoneMarks('wechat').find(({ what }) => what === 'sent')?.at ?? 0;
    expect(phoneMarks('wechat').find(({ what }) => what === 'typing-on')?.at).toBeLessThan(from + 1_000);
  });

  test('a revoked token is noticed by nobody', async () => {
    const page = await visit();
    await think(page, 1);
    await write(page, 'wechat', 'one');
    await page.locator('.wechat .theirs', { hasText: 'one' }).waitFor();
    await page.locator('[data-trouble=token]').click();
    await page.locator('#noticed', { hasText: 'nothing is noticed' }).waitFor();
    await write(page, 'wechat', 'two');
    await page.locator('.wechat[data-lit=true]').waitFor();
    await page.locator('.wechat .theirs', { hasText: 'two' }).waitFor();
    expect(phoneMarks('wechat').filter(({ what }) => what === 'refused')).toMatchObject([
      { detail: '40001' },
    ]);
  });

  test('while the platform is down nothing shows, and the page says why', async () => {
    const page = await visit();
    await think(page, 1);
    await page.locator('[data-trouble=down]').click();
    await page.locator('[data-trouble=down][aria-pressed=true]').waitFor();
    await write(page, 'wechat', 'hello');
    await page
      .locator('.timeline[data-channel=wechat] .keeptyping .call')
      .first()
      .waitFor({ state: 'attached' });
    expect(await page.locator('.wechat').getAttribute('data-lit')).toBe('false');
    expect(await page.locator('.timeline[data-channel=wechat] rect.trouble').count()).toBe(1);
    expect(await page.locator('#noticed').textContent()).toContain('503');
  });

  test('a stopped worker: typing goes out, and on again until the answer', async () => {
    const page = await visit();
    await think(page, 6);
    await write(page, 'nxcloud', 'hello');
    await page.locator('.nxcloud[data-lit=true]').waitFor();
    await page.locator('[data-trouble=worker]').click();
    await page.locator('[data-trouble=worker][aria-pressed=true]').waitFor();
    await page.locator('.nxcloud[data-lit=false]').waitFor();
    await page.locator('[data-trouble=worker][aria-pressed=false]').waitFor();
    await page.locator('.nxcloud[data-lit=true]').waitFor();
    await page.locator('.nxcloud .theirs').first().waitFor();
    expect(await page.locator('.nxcloud').getAttribute('data-lit')).toBe('false');
  });

  const english = { locale: 'en-GB', asked: 'Where is my parcel?', own: 'How far is the sea?' };
  const chinese = { locale: 'zh-CN', asked: '我的快递到哪里了？', own: '大海有多远？' };

  test.each([english, chinese])(
    'in $locale it plays by itself, all in the first screen, until the visitor writes',
    async ({ locale, asked, own }) => {
      const page = await visit({
        locale,
        reducedMotion: 'no-preference',
        viewport: { width: 1280, height: 720 },
      });
      for (const channel of ['wechat', 'nxcloud']) {
        await page.locator(`.${channel} .mine`).waitFor();
        await page.locator(`.${channel}[data-lit=true]`).waitFor();
        expect(await page.locator(`.timeline[data-channel=${channel}] svg .name`).count()).toBe(4);
      }
      expect(await lowest(page, '.phone, .timeline svg')).toBeLessThanOrEqual(720);
      await think(page, 1);
      await write(page, 'wechat', own);
      await page.locator('.wechat .theirs', { hasText: own }).waitFor();
      expect(await page.locator('.wechat .mine').allTextContents()).toEqual([own]);
      await page.locator('.nxcloud .theirs', { hasText: /parcel|包裹/ }).waitFor({ timeout: 15_000 });
      expect(await page.locator('.nxcloud .mine').allTextContents()).toEqual([asked]);
    },
  );

  test('what the other bot shows after the answer is drawn and told, as long as it lasts', async () => {
    const page = await visit();
    await think(page, 1);
    await write(page, 'nxcloud', 'hello');
    const lane = page.locator('.timeline[data-channel=nxcloud] .interval');
    await lane.locator('.ghost').first().waitFor();
    await lane.locator('.state', { hasText: /and \d\.\d s after the answer$/ }).waitFor();
    await page.locator('.timeline[data-channel=nxcloud] .once .answer').waitFor();
    expect(await page.locator('.timeline[data-channel=nxcloud] .once .call').count()).toBe(2);
  });

  test('leads to README, to the console, and to one’s own bot in four lines', async () => {
    const page = await visit();
    await page.getByRole('link', { name: 'Your own bot in four lines' }).click();
    const lines = (await page.locator('#own-bot pre').allTextContents()).map((text) =>
      text.trim().split('\n'),
    );
    expect(lines.map(({ length }) => length)).toEqual([4, 4]);
    expect(await page.locator('.wechat + .fine').textContent()).toContain('对方正在输入… is');
    for (const [name, words] of [
      ['README', '# keeptyping'],
      ['Console', 'view-login'],
    ] as const) {
      const href = await page.getByRole('link', { name }).getAttribute('href');
      expect(await (await fetch(`${stage.url}${href}`)).text()).toContain(words);
    }
  });

  test.each(['light', 'dark'] as const)(
    'in %s axe finds nothing, before, while and after',
    async (colorScheme) => {
      for (const locale of ['en-GB', 'zh-CN']) {
        const page = await visit({ locale, colorScheme });
        expect(await accessibilityProblems(page)).toEqual([]);
        await think(page, 2);
        for (const channel of ['wechat', 'nxcloud']) {
          await write(page, channel, 'hello');
          await page.locator(`.${channel}[data-lit=true]`).waitFor();
        }
        expect(await accessibilityProblems(page)).toEqual([]);
        await page.locator('.timeline summary').first().click();
        for (const channel of ['wechat', 'nxcloud']) await page.locator(`.${channel} .theirs`).waitFor();
        await page.locator('[data-trouble=down]').click();
        await page.locator('[data-trouble=down][aria-pressed=true]').waitFor();
        expect(await accessibilityProblems(page)).toEqual([]);
      }
    },
  );

  test.each([english, chinese])(
    'on a phone of 390 px, in $locale, phone and timeline are seen together',
    async ({ locale, own }) => {
      const page = await visit({ locale, viewport: { width: 390, height: 664 } });
      await think(page, 1);
      for (const channel of ['wechat', 'nxcloud']) {
        await write(page, channel, own);
        await page.locator(`.timeline[data-channel=${channel}] svg`).waitFor();
        const top = await page.evaluate<number>(
          `document.querySelector('.phone.${channel}').getBoundingClientRect().top`,
        );
        expect((await lowest(page, `.timeline[data-channel=${channel}] svg`)) - top).toBeLessThanOrEqual(664);
      }
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      expect(await accessibilityProblems(page)).toEqual([]);
    },
  );

  test('two visitors do not see each other', async () => {
    const [one, other] = [await visit(), await visit({}, '/demo')];
    await think(one, 1);
    await think(other, 1);
    await write(one, 'nxcloud', 'from one');
    await write(other, 'nxcloud', 'from the other');
    await one.locator('.nxcloud .theirs').waitFor();
    await other.locator('.nxcloud .theirs').waitFor();
    expect(await one.locator('.nxcloud li').allTextContents()).toEqual([
      'from one',
      expect.stringMatching(/^About “from one”/),
    ]);
    expect(await other.locator('.nxcloud li').count()).toBe(2);
  });

  test('a reload shows the conversation again', async () => {
    const page = await visit();
    await think(page, 1);
    await write(page, 'wechat', 'hello');
    await page.locator('.wechat .theirs').waitFor();
    await page.reload();
    await page.locator('.wechat .theirs', { hasText: 'hello' }).waitFor();
    expect(await page.locator('.wechat li').count()).toBe(2);
  });

  test('fits a narrow screen, and the keyboard alone is enough', async () => {
    const page = await visit({
      viewport: { width: 360, height: 740 },
      colorScheme: 'dark',
    });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await page.locator('#think').focus();
    await page.keyboard.press('Home');
    expect(await page.locator('#think-value').textContent()).toBe('1 s');
    await page.locator('#wechat-text').focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('by keyboard');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('.wechat .theirs', { hasText: 'by keyboard' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    const unnamed = page.locator('button:not([aria-label]):empty, input:not([id])');
    expect(await unnamed.count()).toBe(0);
  });
});

async function think(page: Page, seconds: number): Promise<void> {
  await page.locator('#think').fill(String(seconds));
}

async function write(page: Page, channel: string, text: string): Promise<void> {
  await page.locator(`#${channel}-text`).fill(text);
  await page.locator(`.${channel} button`).click();
}

/** Where the lowest of them ends, in pixels from the top of the screen. */
function lowest(page: Page, selector: string): Promise<number> {
  return page.evaluate<number>(
    `Math.max(...[...document.querySelectorAll('${selector}')].map((one) => one.getBoundingClientRect().bottom))`,
  );
}

function shareOf(match: RegExpMatchArray): number {
  return Number(match[1]);
}

interface Indication {
  channel: string;
  lit: boolean;
  at: number;
}

/** Notes in the page each change that a visitor would see. */
async function watchIndicators(page: Page): Promise<void> {
  await page.evaluate(`
    window.indicators = [];
    for (const phone of document.querySelectorAll('.phone')) {
      const note = () => window.indicators.push({ channel: phone.dataset.channel, lit: phone.dataset.lit === 'true', at: Date.now() });
      new MutationObserver(note).observe(phone, { attributeFilter: ['data-lit'] });
    }`);
}

function indicators(page: Page): Promise<Indication[]> {
  return page.evaluate<Indication[]>('window.indicators');
}
