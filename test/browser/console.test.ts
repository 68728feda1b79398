/** The operator's console in a real browser. */
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ConsoleScene, openConsoleScene } from '../console/page-scene.ts';
import type { Conversation } from '../../src/core/platform.ts';
import { accessibilityProblems } from '../support/accessible.ts';
import {
  browserNote,
  browserPath,
  launchBrowser,
  visit as openVisit,
  type Visit,
} from '../support/browser.ts';

const ann = who('oK3d5wVq7ZtLbn2c8xYpR1aTfM');
const ben = who('oK3d5wPz91hQmX6yEjSgUv0rWc');
const phone = { width: 360, height: 740 };

/** The browser itself notes each request that was refused, or that nothing answered. */
const ownNote =
  /^error: Failed to load resource: (the server responded with a status of (401|409)|net::ERR_)/;

/** In the page: how many heartbeats it has heard. */
const noteBeats = `
  window.beats = 0;
  window.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      this.addEventListener('heartbeat', () => (window.beats += 1));
    }
  };
`;

describe.skipIf(browserPath === null)(`the console's page${browserNote}`, () => {
  let browser: Browser;
  let scene: ConsoleScene;
  let visits: Visit[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });

  afterAll(() => browser.close());

  beforeEach(async () => {
    scene = await openConsoleScene();
    scene.account({ channel: 'wechat', account: 'shop' });
  });

  afterEach(async () => {
    const problems = visits.flatMap((one) => one.problems).filter((problem) => !ownNote.test(problem));
    await Promise.all(visits.map(({ page }) => page.context().close()));
    visits = [];
    await scene.stop();
    if (problems.length > 0) throw new Error(`The page had problems:\n${problems.join('\n')}`);
  });

  async function visit(hash = '', options: BrowserContextOptions = {}): Promise<Page> {
    const one = await openVisit(browser, `${scene.url}${hash}`, { locale: 'en-GB', ...options });
    visits.push(one);
    await one.page.locator('#token').waitFor();
    return one.page;
  }

  async function enter(hash = '', options: BrowserContextOptions = {}): Promise<Page> {
    const page = await visit(hash, options);
    await page.locator('#token').fill(scene.token);
    await page.keyboard.press('Enter');
    await page.locator('#line[data-tone=good]').waitFor();
    return page;
  }

  describe('login', () => {
    test('refuses a wrong token in a sentence', async () => {
      const page = await visit();
      const wrong = page.locator('#login-wrong');
      await page.locator('#token').fill('something else');
      await page.keyboard.press('Enter');
      await wrong.waitFor();
      expect(await wrong.textContent()).toBe('This is not the control token.');
      expect(await page.locator('#view-overview').isVisible()).toBe(false);
    });

    test('takes the token, keeps it nowhere in the page, survives a reload, and ends', async () => {
      scene.wait(ann);
      scene.longWait(ann, Date.now() - 60_000);
      const page = await enter(`#search?q=${ann.user}`);
      await page.locator('#found article').first().waitFor();
      await page.locator('[data-view=conversations]').click();
      await rowOf(page, ann).waitFor();
      await page.locator('[data-view=overview]').click();
      await page.locator('#events summary').click();
      await page.locator('#events-list', { hasText: ann.user }).waitFor();
      const kept = await page.evaluate<string>(
        `JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.querySelector('#token').value, location.href])`,
      );
      expect(kept).not.toContain(scene.token);
      await page.reload();
      await page.locator('#line[data-tone=good]').waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.locator('#token').waitFor();
      expect(await page.locator('main').textContent()).not.toContain(ann.user);
      await page.reload();
      await page.locator('#token').waitFor();
    });

    test('is not ended where there is none', async () => {
      const page = await enter();
      const logout = page.locator('#logout');
      await logout.waitFor();
      await page.route('**/api/session', (route) => route.fulfill({ json: { login: false } }));
      await answered(page, '/session', async () => void (await page.reload()));
      await page.locator('#line[data-tone=good]').waitFor();
      expect(await logout.isVisible()).toBe(false);
    });

    test('by a link is done once, and leaves nothing of it in the address', async () => {
      const one = await openVisit(browser, `${scene.url}#login=${scene.code}`, { locale: 'en-GB' });
      visits.push(one);
      await one.page.locator('#line[data-tone=good]').waitFor();
      expect(one.page.url()).toBe(scene.url);
      const page = await visit(`#login=${scene.code}`);
      await page.getByText('This link was used before').waitFor();
      expect(page.url()).toBe(scene.url);
      expect(await page.locator('#view-overview').isVisible()).toBe(false);
    });

    test('is filled in by password managers', async () => {
      const page = await visit();
      expect(await page.locator('#token').getAttribute('autocomplete')).toBe('current-password');
      expect(await page.locator('input[autocomplete=username]').count()).toBe(1);
    });
  });

  describe('what it shows', () => {
    test('a wait comes, ticks, gets typing, and goes, without a reload', async () => {
      const page = await enter('#conversations');
      expect(await page.locator('#conversations-none').textContent()).toBe('Nobody waits.');
      scene.wait(ann, Date.now() - 5_000);
      const row = rowOf(page, ann);
      await row.waitFor();
      const before = await row.locator('[data-column=since]').textContent();
      await expect.poll(() => row.locator('[data-column=since]').textContent()).not.toBe(before);
      expect(await row.textContent()).toContain('A typing call is under way');
      scene.light(ann);
      await expect.poll(() => row.textContent()).toMatch(/typing until \d\d:\d\d:\d\d/);
      scene.darken(ann, 'window_closed');
      await expect
        .poll(() => row.textContent())
        .toMatch(/dark The last message was too long ago.*code 45080/);
      scene.answer(ann);
      await row.waitFor({ state: 'detached' });
    });

    test('the longest waits stand first, and it says that they are not all', async () => {
      scene.showAtMost(2);
      scene.wait(ann, Date.now() - 1_000);
      scene.wait(ben, Date.now() - 9_000);
      scene.wait(who('the-youngest'), Date.now());
      const page = await enter('#conversations');
      await expect
        .poll(() => page.locator('#conversations .id').allTextContents())
        .toEqual([ben.user, ann.user]);
      expect(await page.locator('#conversations-count').textContent()).toBe('The longest 2 of 3.');
    });

    test('a filter by account and by text', async () => {
      scene.wait(ann);
      scene.wait(ben);
      scene.wait({ channel: 'nxcloud', account: 'sales', user: '8613800138000' });
      const page = await enter('#conversations');
      await rowOf(page, ben).waitFor();
      await page.locator('#filter-text').fill('pz91');
      expect(await page.locator('#conversations .id').allTextContents()).toEqual([ben.user]);
      expect(await page.locator('#conversations-count').textContent()).toContain('1 of the 3 listed match');
      await page.locator('#filter-text').fill('');
      await page.locator('#filter-account').selectOption('nxcloud/sales');
      expect(await page.locator('#conversations .id').allTextContents()).toEqual(['8613800138000']);
    });

    test('an account whose configuration wants no typing, which is no trouble', async () => {
      const page = await enter();
      scene.account({ channel: 'wechat', account: 'shop' }, { typing: { is: 'mode_off' } });
      await page.locator('.accounts').getByText('off by the configuration').waitFor();
      expect(await page.locator('#attention li').count()).toBe(0);
    });

    test('an account that is switched off, in words, with the remedy; and that it is on again', async () => {
      const page = await enter();
      const remedy = 'Certify it.';
      scene.account(
        { channel: 'wechat', account: 'shop' },
        {
          typing: { is: 'off', until: Date.now() + 60_000, code: 48001, remedy },
          refusals: [{ code: 48001, outcome: 'account-off', count: 3, remedy }],
          breaker: 'open',
        },
      );
      await page.locator('#attention li').nth(1).waitFor();
      const said = (await page.locator('#attention').textContent()) ?? '';
      expect(said).toMatch(
        /wechat\/shop: typing is switched off \(code 48001\); tried again at .*Certify it\./,
      );
      expect(said).toContain('failed several times in a row');
      expect(await lastSaid(page)).toContain('Certify it.');
      const shown = await page.evaluate<string>(`document.querySelector('main').innerText`);
      expect(shown.match(/Certify it\./g)).toHaveLength(1);
      expect(await page.title()).toMatch(/^⚠ /);
      await page.locator('.accounts summary').click();
      expect(await page.locator('.refusals .rows').textContent()).toContain(
        '48001refused for the account until somebody mends it3Certify it.',
      );
      scene.account({ channel: 'wechat', account: 'shop' });
      await page.locator('#attention li').first().waitFor({ state: 'detached' });
      expect(await lastSaid(page)).toContain('Over: ');
      expect(await page.title()).not.toContain('⚠');
    });

    test('Redis away and no worker are said at the top and aloud', async () => {
      const page = await enter();
      scene.change({ workers: 'none' });
      await page.locator('#attention li', { hasText: 'No worker is alive' }).waitFor();
      scene.change({ redis: 'away' });
      await page.locator('#attention li', { hasText: 'Redis is away' }).waitFor();
      expect(await page.locator('#state').textContent()).toContain('Redisaway');
      expect(await lastSaid(page)).toContain('Redis is away: messages still reach the bot');
    });

    test('that nobody has waited, and else that every wait had typing', async () => {
      const page = await enter();
      const none = page.getByText('No wait has ended in the last hour.').locator('visible=true');
      await none.waitFor();
      expect(await none.count()).toBe(1);
      expect(await page.locator('#untyped-none').isVisible()).toBe(false);
      scene.fill();
      scene.change({ untyped: [] });
      await page.locator('#untyped-none').waitFor();
      expect(await none.count()).toBe(0);
    });

    test('the distributions as pictures, and as tables', async () => {
      scene.fill();
      const page = await enter();
      const picture = page.locator('#waits svg');
      await picture.waitFor();
      expect(await picture.getAttribute('aria-label')).toBe('How long 536 answers took: 131 in 5 s to 10 s');
      await page.locator('#waits summary').click();
      const rows = page.locator('#waits .rows > [role=row]');
      await expect.poll(() => rows.allTextContents()).toContain('10 s to 15 s118');
      expect(await page.locator('#covers svg').getAttribute('aria-label')).toContain('322 in over 99 %');
      expect(await page.locator('#untyped .rows > [role=row]').first().textContent()).toBe(
        'The answer was faster than typing. answered_first31',
      );
    });

    test('what is open, focused or selected stays while everything changes', async () => {
      scene.wait(ann, Date.now() - 9_000);
      scene.fail({ job: '1', at: Date.now(), user: ann.user, reason: 'x', unknown: false });
      const page = await enter();
      await page.locator('.accounts summary').click();
      await page.evaluate(`void (window.marked = document.querySelector('.accounts details'))`);
      await page.locator('.accounts summary').focus();
      await page.evaluate(
        `getSelection().selectAllChildren(document.querySelector('.accounts [role=rowheader]'))`,
      );
      scene.account({ channel: 'nxcloud', account: 'sales' });
      scene.account({ channel: 'wechat', account: 'shop' }, { callsPerMinute: 77 });
      await expect.poll(() => page.locator('.accounts').first().textContent()).toContain('77');
      expect(await page.evaluate('marked.isConnected && marked.open')).toBe(true);
      expect(await page.evaluate(`document.activeElement.tagName`)).toBe('SUMMARY');
      expect(await page.evaluate(`String(getSelection())`)).toContain('shop');
      await page.goto(`${scene.url}#conversations`);
      await rowOf(page, ann).getByRole('button').focus();
      // An earlier one is put before it.
      scene.wait(ben, Date.now() - 60_000);
      await rowOf(page, ben).waitFor();
      expect(await page.locator('#conversations .id').allTextContents()).toEqual([ben.user, ann.user]);
      expect(await page.evaluate(`document.activeElement.getAttribute('aria-label')`)).toBe(
        `Pause ${ann.user}`,
      );
      // It waits anew, and so stands behind.
      scene.answer(ben);
      scene.wait(ben);
      await expect
        .poll(() => page.locator('#conversations .id').allTextContents())
        .toEqual([ann.user, ben.user]);
      expect(await page.evaluate(`document.activeElement.getAttribute('aria-label')`)).toBe(
        `Pause ${ann.user}`,
      );
      // And when its row goes, the focus is not lost to the top of the page.
      scene.answer(ann);
      await rowOf(page, ann).waitFor({ state: 'detached' });
      expect(await page.evaluate('document.activeElement.id')).toBe('conversations-name');
    });

    test('whatever the outside calls itself stays text', async () => {
      const hostile = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
      scene.account(
        { channel: 'wechat', account: 'shop' },
        {
          typing: { is: 'off', until: Date.now() + 60_000, code: 1, remedy: hostile },
          refusals: [{ code: 1, outcome: hostile, count: 1, remedy: hostile }],
          ends: [{ by: hostile, count: 1 }],
        },
      );
      scene.change({ untyped: [{ reason: hostile, count: 1 }] });
      const evil = who(hostile);
      scene.wait(evil);
      scene.untyped(evil, Date.now() - 9_000);
      scene.fail({ job: hostile, at: null, user: hostile, reason: hostile, unknown: true });
      const page = await enter();
      await page.locator('#attention', { hasText: hostile }).waitFor();
      await page.locator('.accounts summary').click();
      await page.locator('#untyped', { hasText: hostile }).waitFor();
      await page.locator('#events summary').click();
      await page.locator('#events-list', { hasText: hostile }).waitFor();
      await page.goto(`${scene.url}#conversations`);
      await page.locator('#conversations a', { hasText: hostile }).click();
      await page.locator('#found article', { hasText: hostile }).first().waitFor();
      await page.locator('#present', { hasText: hostile }).waitFor();
      await page.locator('#present button').click();
      await page.locator('dialog[open]', { hasText: hostile }).waitFor();
      await page.keyboard.press('Escape');
      await page.goto(`${scene.url}#failed`);
      await page.locator('#failed-jobs', { hasText: hostile }).waitFor();
      expect(await page.evaluate('window.hit')).toBeUndefined();
      expect(await page.locator('body img, body script').count()).toBe(0);
    });
  });

  describe('pause', () => {
    test('asks for how long, pauses, and resumes', async () => {
      scene.wait(ann);
      const page = await enter('#conversations');
      const row = rowOf(page, ann);
      await row.getByRole('button', { name: `Pause ${ann.user}` }).click();
      const dialog = page.getByRole('dialog', { name: `Pause typing for ${ann.user}?` });
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      expect(scene.isPaused(ann)).toBe(false);
      await row.getByRole('button').click();
      await dialog.getByLabel('For how long').selectOption('30 minutes');
      await dialog.getByRole('button', { name: 'Pause' }).click();
      await row.getByRole('button', { name: `Resume ${ann.user}` }).waitFor();
      expect(scene.isPaused(ann)).toBe(true);
      expect(await lastSaid(page)).toMatch(/is paused until \d\d:\d\d:\d\d\./);
      expect(await row.textContent()).toContain('A human has the conversation. · paused until');
      expect(await page.locator('#conversations-count').textContent()).toBe('0 waiting.');
      await row.getByRole('button').click();
      await row.waitFor({ state: 'detached' });
      expect(scene.isPaused(ann)).toBe(false);
      expect(await lastSaid(page)).toContain(`Typing for ${ann.user} is resumed.`);
    });

    test('asks no more once another section shows, and says what it says once', async () => {
      scene.wait(ann);
      const page = await enter('#overview');
      await page.goto(`${scene.url}#conversations`);
      await rowOf(page, ann).getByRole('button').click();
      await page.locator('#dialog[open]').waitFor();
      await page.goBack();
      await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('overview-name');
      expect(await page.locator('#dialog').isVisible()).toBe(false);
      expect(scene.isPaused(ann)).toBe(false);
      await page.goForward();
      await page.route('**/pause', (route) => route.fulfill({ status: 409, json: { error: 'Not now.' } }));
      const pauseInVain = async (): Promise<void> => {
        await rowOf(page, ann).getByRole('button').click();
        await answered(page, '/pause', () => page.locator('#dialog-yes').click());
        await page.locator('#said p:not(.seen)').waitFor();
      };
      await pauseInVain();
      await page.evaluate(`document.querySelector('#said p').classList.add('seen')`);
      await pauseInVain();
      expect(await lastSaid(page)).toBe('That did not work: Not now.');
    });
  });

  describe('search', () => {
    test('tells a wait as a timeline: accepted, never shown', async () => {
      scene.longWait(ann, Date.now() - 300_000);
      const page = await enter('#search');
      await page.getByLabel('User, message id or turn').fill('24101234567890123');
      await page.keyboard.press('Enter');
      const turn = page.locator('#found article').first();
      await turn.waitFor();
      expect(await turn.locator('.outcome').textContent()).toBe(
        'waited 38 s · typing accepted for 30 s (78 %) · first after 140 ms',
      );
      expect(await turn.locator('.events li').allTextContents()).toEqual([
        '+0.00 s The message arrived (text).',
        '+0.14 s Typing call: accepted · 86 ms',
        '+15.29 s Typing call: accepted · 91 ms',
        '+30.44 s Typing call: refused until the user writes again (code 45080) · 77 ms',
        '+38.10 s The bot was called and answered 200 after 38 s.',
        '+38.32 s The platform accepted the answer through its API.',
        '+38.33 s The wait ended: the bot’s webhook answer held a message.',
      ]);
      expect(await turn.locator('svg .accepted').count()).toBe(2);
      expect(await turn.locator('svg .refused').count()).toBe(1);
      expect(await page.locator('#search-said').textContent()).toBe('Events: 7, waits: 1.');
      expect(await page.locator('#view-search').textContent()).not.toMatch(/shown/i);
    });

    test('says why there was no typing, with the remedy', async () => {
      const turn = scene.untyped(ann, Date.now() - 60_000);
      const page = await enter(`#search?q=${encodeURIComponent(turn)}`);
      const found = page.locator('#found article').first();
      await found.waitFor();
      expect(await found.textContent()).toContain('no typing: The platform has refused the account');
      expect(await found.textContent()).toContain("code 40164) · 61 ms — Add this server's egress IP");
    });

    test('shows how the conversation stands now, and pauses it there', async () => {
      scene.wait(ann, Date.now() - 4_000);
      const page = await enter('#conversations');
      await rowOf(page, ann).getByRole('link').click();
      const present = page.locator('#present article');
      await present.waitFor();
      expect(await present.textContent()).toContain('Messages to the user since its last one: 1; 4 left.');
      await present.getByRole('button', { name: `Pause ${ann.user}` }).click();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await present.getByRole('button', { name: `Resume ${ann.user}` }).waitFor();
      expect(scene.isPaused(ann)).toBe(true);
    });

    test('from and to are asked for in ms, and older pages follow', async () => {
      for (const index of Array.from({ length: 12 }, (_, one) => one))
        scene.longWait(ann, Date.now() - 3_000_000 + index * 60_000);
      const page = await enter('#search');
      await page.locator('#query').fill(ann.user);
      await page.locator('#search-from').fill('2020-01-02T03:04:05');
      await page.getByRole('button', { name: 'Search' }).click();
      const older = page.getByRole('button', { name: 'Older events' });
      await older.waitFor();
      const ms = await page.evaluate<number>(`Date.parse('2020-01-02T03:04:05')`);
      expect(scene.searches().at(-1)?.get('from')).toBe(String(ms));
      expect(scene.searches().at(-1)?.has('to')).toBe(false);
      for (const _ of [2, 3]) await answered(page, '/search', () => older.click());
      await older.waitFor({ state: 'hidden' });
      expect(await page.locator('#search-said').textContent()).toContain('84');
    });

    test('says that nothing is known', async () => {
      const page = await enter('#search?q=nobody');
      await expect
        .poll(() => page.locator('#search-said').textContent())
        .toMatch(/^Nothing is known of that/);
    });
  });

  describe('failed replies', () => {
    const job = { at: Date.now(), user: ann.user, reason: 'The bot did not answer within 120 s.' };

    test('are run again after one question', async () => {
      const page = await enter('#failed');
      scene.fail({ ...job, job: '17', unknown: false });
      await page.getByRole('button', { name: 'Run again: job 17' }).click();
      expect(await page.locator('#failed-count').textContent()).toBe('1');
      await page.getByRole('dialog').getByRole('button', { name: 'Run again: job 17' }).click();
      await page.locator('#failed-none').waitFor();
      expect(scene.retried()).toEqual([{ job: '17', unknown: false }]);
      await expect.poll(() => lastSaid(page)).toContain('Reply job 17 runs again.');
    });

    test('whose outcome is unknown are asked about twice', async () => {
      scene.fail({ ...job, job: '18', unknown: true });
      const page = await enter('#failed');
      const again = page.getByRole('button', { name: 'Run again: job 18' });
      const second = page.getByRole('dialog', { name: 'The user may get the answer twice' });
      await again.click();
      await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
      await second.waitFor();
      expect(await second.textContent()).toContain(`Nobody knows whether ${ann.user} has the answer`);
      // Enter alone does no harm.
      await page.keyboard.press('Enter');
      await second.waitFor({ state: 'hidden' });
      expect(scene.retried()).toEqual([]);
      await again.click();
      await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
      await second.getByRole('button', { name: 'Run it again all the same' }).click();
      await page.locator('#failed-none').waitFor();
      expect(scene.retried()).toEqual([{ job: '18', unknown: true }]);
    });
  });

  test('speaks Chinese to a Chinese browser, English when asked, and remembers it', async () => {
    scene.wait(ann);
    const page = await visit('#conversations', { locale: 'zh-CN' });
    expect(await page.locator('#login-name').textContent()).toBe('登录');
    await page.locator('#token').fill(scene.token);
    await page.keyboard.press('Enter');
    await rowOf(page, ann).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    expect(await rowOf(page, ann).textContent()).toContain('正在调用，或马上就要调用。');
    await page.getByRole('button', { name: 'English' }).click();
    await expect.poll(() => rowOf(page, ann).textContent()).toContain('A typing call is under way');
    expect(await page.locator('#conversations .head').textContent()).toContain('User');
    await page.reload();
    await rowOf(page, ann).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en-GB');
  });

  test('shows a Chinese reader nothing that mends something in English', async () => {
    const english = 'Check WECHAT_APP_ID and WECHAT_APP_SECRET against the WeChat console.';
    const chinese = '请对照微信后台检查 WECHAT_APP_ID 和 WECHAT_APP_SECRET。';
    const shop = { channel: 'wechat', account: 'shop' } as const;
    scene.account(shop, {
      typing: { is: 'off', until: Date.now() + 60_000, code: 40001, remedy: english },
      refusals: [{ code: 40001, outcome: 'account-off', count: 2, remedy: english }],
      refused: [{ reason: 'The body is not a JSON object: send it as NXCloud does.', count: 3 }],
      botFailed: [{ why: 'connection refused (ECONNREFUSED), http://bot/', count: 1 }],
    });
    scene.change({ skipped: [{ account: 'wechat/other', reason: 'token must be JSON; appId is no AppID' }] });
    scene.wait(ann);
    scene.darken(ann, 'no_permission', english);
    scene.fail({
      job: '7',
      at: Date.now(),
      user: ben.user,
      reason: `The platform refused the answer with 40001: invalid credential. ${english}`,
      unknown: false,
    });
    const page = await visit('', { locale: 'zh-CN' });
    await page.locator('#token').fill(scene.token);
    await page.keyboard.press('Enter');
    await page.locator('#attention li').first().waitFor();
    await page.locator('#accounts details').evaluateAll((all) => all.forEach((one) => (one.open = true)));
    for (const view of ['overview', 'conversations', 'failed']) {
      await page.evaluate(`location.hash = "${view}"`);
      await page.locator(`#view-${view}`).getByText(chinese).first().waitFor();
      const text = await page.locator(`#view-${view}`).innerText();
      expect(text).not.toMatch(/Check|must be|is no AppID|send it as|connection refused|refused the answer/);
    }
  });

  test('says since when it is not connected, and goes on by itself', async () => {
    scene.wait(ann);
    const page = await enter('#conversations');
    await rowOf(page, ann).waitFor();
    await scene.stop();
    const line = page.locator('#line');
    await expect.poll(() => line.textContent()).toMatch(/^not connected since \d\d:\d\d:\d\d \(.* m?s\)$/);
    expect(await lastSaid(page)).toMatch(/^Not connected since/);
    expect(await page.title()).toMatch(/^⚠ /);
    scene.answer(ann);
    scene.wait(ben);
    await scene.start();
    await rowOf(page, ben).waitFor();
    expect(await rowOf(page, ann).count()).toBe(0);
    expect(await line.textContent()).toBe('live');
    expect(await lastSaid(page)).toContain('Connected again.');
  });

  test('stays connected for as long as heartbeats come, and connects anew when none does', async () => {
    const page = await visit();
    await page.clock.install();
    await page.addInitScript({ content: noteBeats });
    await page.reload();
    await page.locator('#token').fill(scene.token);
    await page.keyboard.press('Enter');
    await page.locator('#line[data-tone=good]').waitFor();
    for (let beats = 1; beats <= 3; beats += 1) {
      await page.clock.runFor(30_000);
      scene.beat();
      await expect.poll(() => page.evaluate('window.beats')).toBe(beats);
    }
    expect(scene.connections()).toBe(1);
    await page.clock.runFor(41_000);
    await expect.poll(() => scene.connections()).toBe(2);
  });

  test('the keyboard alone is enough', async () => {
    scene.wait(ann, Date.now() - 2_000);
    const page = await visit();
    await page.keyboard.type(scene.token);
    await page.keyboard.press('Enter');
    await page.locator('#line[data-tone=good]').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('overview-name');
    await press(page, 'a[data-view=conversations]', 'Enter');
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('conversations-name');
    await press(page, `[aria-label="Pause ${ann.user}"]`, 'Space');
    await page.keyboard.press('ArrowDown');
    await press(page, '#dialog-yes', 'Enter');
    await page.getByRole('button', { name: `Resume ${ann.user}` }).waitFor();
    expect(await page.evaluate(`document.activeElement.getAttribute('aria-label')`)).toBe(
      `Resume ${ann.user}`,
    );
    await press(page, 'a[data-view=search]', 'Enter');
    await press(page, '#query', 'Shift');
    await page.keyboard.type(ann.user);
    await page.keyboard.press('Enter');
    await page.locator('#found article').first().waitFor();
  });

  test.each(['light', 'dark'] as const)(
    'in %s every view is readable, named and in order',
    async (colorScheme) => {
      scene.fill();
      scene.longWait(ann, Date.now() - 300_000);
      const page = await visit('', { colorScheme });
      expect(await accessibilityProblems(page)).toEqual([]);
      await page.locator('#token').fill(scene.token);
      await page.keyboard.press('Enter');
      await page.locator('.accounts summary').first().click();
      await page.locator('#waits summary').click();
      await page.locator('#events summary').click();
      expect(await accessibilityProblems(page)).toEqual([]);
      for (const hash of ['#conversations', `#search?q=${ann.user}`, '#failed']) {
        await page.goto(`${scene.url}${hash}`);
        await page
          .locator('#present article, #conversations .id, #failed-jobs .id')
          .locator('visible=true')
          .first()
          .waitFor();
        expect(await accessibilityProblems(page)).toEqual([]);
      }
      await page.getByRole('button', { name: 'Run again: job 4688' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
      await page.locator('dialog.grave').waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
    },
  );

  test('fits a phone: nothing runs out of it, tables are cards', async () => {
    scene.fill();
    scene.longWait(ann, Date.now() - 300_000);
    const page = await enter('', { viewport: phone, reducedMotion: 'reduce' });
    await page.locator('.accounts summary').first().click();
    for (const hash of ['#overview', '#conversations', `#search?q=${ann.user}`, '#failed']) {
      await page.goto(`${scene.url}${hash}`);
      await page.locator(hash.replace('#', '#view-').replace(/\?.*/, '')).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
      expect(await accessibilityProblems(page)).toEqual([]);
    }
    const label = await page.evaluate(
      `getComputedStyle(document.querySelector('#failed-jobs .rows [role=cell]'), '::before').content`,
    );
    expect(label).toBe('"Failed at"');
  });

  test.runIf(process.env['SCREENSHOT'])('is drawn for the documentation', async () => {
    scene.fill();
    const page = await enter('', { viewport: { width: 1200, height: 1240 } });
    await page.locator('#waits svg').waitFor();
    await page.evaluate('document.activeElement.blur()');
    const picture = await page.screenshot({ path: 'docs/console.png' });
    expect(picture.length).toBeLessThan(200_000);
  });

  test('a thousand waits stay responsive', async () => {
    scene.showAtMost(1_000);
    for (const index of Array.from({ length: 1_000 }, (_, one) => one))
      scene.wait(who(`user-${String(index).padStart(4, '0')}`), Date.now() - index * 10);
    const page = await visit('#conversations');
    await page.evaluate(`
      window.long = [];
      new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration)))
        .observe({ type: 'longtask', buffered: true });`);
    await page.locator('#token').fill(scene.token);
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#conversations .rows > [role=row]').count()).toBe(1_000);
    const first = [...(await page.evaluate<number[]>('window.long.splice(0)'))];
    const row = rowOf(page, who('user-0999'));
    const ticks = [];
    for (const _ of [1, 2, 3]) {
      const before = await row.locator('[data-column=since]').textContent();
      await expect.poll(() => row.locator('[data-column=since]').textContent()).not.toBe(before);
      ticks.push(...(await page.evaluate<number[]>('window.long.splice(0)')));
    }
    await page.locator('#filter-text').fill('0777');
    await expect.poll(() => page.locator('#conversations .rows > [role=row]').count()).toBe(1);
    const filtered = await page.evaluate<number[]>('window.long.splice(0)');
    console.info('long tasks (ms)', { first, ticks, filtered });
    // Far beyond what it takes (below 200 ms on an idle machine): only a blocked page fails.
    expect(Math.max(0, ...first, ...ticks, ...filtered)).toBeLessThan(2_000);
  });
});

function who(user: string): Conversation {
  return { channel: 'wechat', account: 'shop', user };
}

function rowOf(page: Page, { user }: Conversation): Locator {
  return page.locator('#conversations .rows > [role=row]').filter({ hasText: user });
}

/** What is read out, and shown for a while. */
async function lastSaid(page: Page): Promise<string> {
  return (await page.locator('#said p').allTextContents()).join(' | ');
}

/** Goes on with Tab until the focus is there; a page in which it never comes there fails. */
async function press(page: Page, selector: string, key: string): Promise<void> {
  for (let tabs = 0; tabs < 60; tabs += 1) {
    if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`))
      return page.keyboard.press(key);
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches ${selector}.`);
}

/** Resolves when the server has answered what that asks for. */
async function answered(page: Page, path: string, act: () => Promise<void>): Promise<void> {
  await Promise.all([page.waitForResponse((response) => response.url().includes(path)), act()]);
}
