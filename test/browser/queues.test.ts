/** The queues' jobs at /console/queues, in a real browser: nothing is asked elsewhere, and the strict policy holds. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../console/scene.ts';
import { token } from '../console/served.ts';
import { useStage } from '../e2e/stage.ts';
import { browserNote, browserPath, launchBrowser } from '../support/browser.ts';

const { open } = useStage();

describe.skipIf(browserPath === null)(`the queues${browserNote}`, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  test('are shown without a message, an error or a word to anybody else', async () => {
    const { webs, simulator } = await open({ env: { CONTROL_TOKEN: token }, bot: { thinkMs: 400 } });
    const url = webs[0]?.url ?? '';
    simulator.wechat.faults.set('/cgi-bin/message/custom/send', { code: 45047 });
    await simulator.wechat.push({ user: 'oUser_1', text: 'the user’s own words' });
    const operator = openBrowser(url);
    await operator.logIn(token);
    await expect.poll(async () => (await operator.ask('GET', 'failed')).text()).toContain('45047');
    const context = await browser.newContext();
    const [name = '', value = ''] = (operator.cookie ?? '').split('=');
    await context.addCookies([{ name, value, domain: '127.0.0.1', path: '/console', httpOnly: true }]);
    const page = await context.newPage();
    page.setDefaultTimeout(8_000);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (line) => line.type() === 'error' && problems.push(line.text()));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== url && !request.url().startsWith('data:'))
        problems.push(`asked ${request.url()}`);
    });
    await page.goto(`${url}/console/queues`);
    await page.getByText('replies').first().waitFor();
    await page.goto(`${url}/console/queues/queue/replies?status=failed`);
    await page.getByText(/45047/).first().waitFor();
    await page.getByText('Logs', { exact: true }).click();
    await page.getByText('Data', { exact: true }).click();
    await page.getByText('not shown: it may hold a message').first().waitFor();
    expect(await page.content()).not.toContain('own words');
    expect(problems).toEqual([]);
    await context.close();
  });
});
