/** The console's page in a real browser, on keeptyping as it runs. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { token } from '../console/served.ts';
import { type Stage, type StageOptions, useStage, wideWindow } from '../e2e/stage.ts';
import { browserNote, browserPath, launchBrowser, visit } from '../support/browser.ts';

const { open } = useStage();
const user = 'oUser_1';
const words = 'the user’s own words';
const sending = '/cgi-bin/message/custom/send';

/** The browser itself notes each request that was refused. */
const ownNote = /^error: Failed to load resource: the server responded with a status of 401/;

function start({ env, ...options }: StageOptions = {}): Promise<Stage> {
  return open({ ...options, env: { CONTROL_TOKEN: token, ...env } });
}

describe.skipIf(browserPath === null)(`the console on a real server${browserNote}`, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  async function enter({ webs }: Stage): Promise<{ page: Page; problems: () => string[] }> {
    const { page, problems } = await visit(browser, `${webs[0]?.url}/console`, { locale: 'en-GB' });
    page.setDefaultTimeout(10_000);
    await page.locator('#token').fill(token);
    await page.keyboard.press('Enter');
    await page.locator('#line[data-tone=good]').waitFor();
    return { page, problems: () => problems.filter((problem) => !ownNote.test(problem)) };
  }

  test('a wrong token is refused, the right one opens it, and logging out closes it', async () => {
    const stage = await start();
    const { page, problems } = await visit(browser, `${stage.webs[0]?.url}/console`, { locale: 'en-GB' });
    await page.locator('#token').fill('something else');
    await page.keyboard.press('Enter');
    await page.getByText('This is not the control token.').waitFor();
    await page.locator('#token').fill(token);
    await page.keyboard.press('Enter');
    await page.locator('#line[data-tone=good]').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.locator('#token').waitFor();
    await page.reload();
    await page.locator('#token').waitFor();
    expect(await page.locator('#sections').isVisible()).toBe(false);
    expect(problems.filter((problem) => !ownNote.test(problem))).toEqual([]);
    await page.context().close();
  });

  test('a wait shows live, is found by its message, and its words stand nowhere', async () => {
    const stage = await start({ ...wideWindow, bot: { thinkMs: 4_000 } });
    const { page, problems } = await enter(stage);
    await page
      .getByRole('link', { name: /Waiting/ })
      .first()
      .click();
    await stage.simulator.wechat.push({ user, text: words });
    const waiting = page.locator('#view-conversations');
    await waiting.getByText(user).waitFor();
    await waiting.getByText('typing', { exact: true }).first().waitFor();
    await waiting.getByText('Nobody waits.').waitFor();
    await page.goto(`${stage.webs[0]?.url}/console#search?q=${user}`);
    const found = page.locator('#found');
    await found.getByText(/typing accepted for/).waitFor();
    await found.getByText('The bot was called and answered 200', { exact: false }).waitFor();
    expect(await found.textContent()).toContain('Typing call: accepted');
    expect(await page.content()).not.toContain(words);
    expect(problems()).toEqual([]);
    await page.context().close();
  });

  test('an answer whose fate nobody knows is run again only when asked twice', async () => {
    const stage = await start({ bot: { thinkMs: 400 } });
    stage.simulator.wechat.faults.set(sending, { status: 502 }, 1);
    const { page } = await enter(stage);
    await stage.simulator.wechat.push({ user, text: words });
    await page
      .getByRole('link', { name: /Failed/ })
      .first()
      .click();
    await page.getByText('outcome unknown', { exact: true }).waitFor();
    await page.getByRole('button', { name: /^Run again: job/ }).click();
    const dialog = page.locator('#dialog');
    await dialog.getByRole('button', { name: 'Run again' }).click();
    await dialog.getByText('The user may get the answer twice').waitFor();
    expect(stage.bot.calls).toHaveLength(1);
    await dialog.getByRole('button', { name: 'Run it again all the same' }).click();
    await expect
      .poll(() => stage.simulator.wechat.phone(user).marks.filter(({ what }) => what === 'received').length)
      .toBe(1);
    await page.getByText('No reply has failed.').waitFor();
    expect(stage.bot.calls).toHaveLength(1);
    await page.context().close();
  });
});
