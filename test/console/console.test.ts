/** The console of keeptyping as it runs: real pushes, real Redis, real queues. */
import { type Job, Queue } from 'bullmq';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { markIs, type Stage, type StageOptions, useStage, wideWindow } from '../e2e/stage.ts';
import type { FailedJob } from '../../src/replies/failed.ts';
import { keys } from '../../src/redis/keys.ts';
import type { ReplyJob } from '../../src/typing/jobs.ts';
import { type Browser, openBrowser, shownIn, type Watched } from './scene.ts';
import * as schemas from './schemas.ts';
import { token } from './served.ts';

const { open } = useStage();
const user = 'oUser_1';
const message = 'the user’s own words';
const received = markIs('received');
const sendPath = '/cgi-bin/message/custom/send';

async function start(options: StageOptions = {}): Promise<{ stage: Stage; browser: Browser }> {
  const stage = await open({ ...options, env: { CONTROL_TOKEN: token, ...options.env } });
  const browser = openBrowser(stage.webs[0]?.url ?? '');
  await browser.logIn(token);
  return { stage, browser };
}

async function ask<Schema extends z.ZodType>(
  browser: Browser,
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const response = await browser.ask('GET', path);
  expect(response.status).toBe(200);
  return schema.parse(await response.json());
}

const failed = (browser: Browser): Promise<FailedJob[]> => ask(browser, 'failed', schemas.failedJobs);

async function failOne({ simulator }: Stage, browser: Browser): Promise<FailedJob> {
  await simulator.wechat.push({ user, text: message });
  await expect.poll(() => failed(browser)).toHaveLength(1);
  return (await failed(browser))[0] as FailedJob;
}

function checkStream(watched: Watched): void {
  watched.overviews.forEach((each) => schemas.overview.parse(each));
  watched.changes.forEach((each) => schemas.conversations.parse(each));
  schemas.notices.optional().parse(watched.notices.length === 0 ? undefined : watched.notices);
}

describe('live events', () => {
  test('show a conversation while it is open, and what it was like afterwards', async () => {
    const { stage, browser } = await start({ ...wideWindow, bot: { thinkMs: 3_000 } });
    const watched = await browser.watch();
    await stage.simulator.wechat.push({ user, text: message });
    await expect.poll(() => shownIn(watched).get(`wechat/default/${user}`)?.indicator.is).toBe('lit');
    expect(watched.overviews.at(-1)).toMatchObject({ workers: 'alive', redis: 'ok' });
    await expect.poll(() => shownIn(watched).size).toBe(0);
    await expect
      .poll(() => watched.overviews.at(-1)?.accounts.find(({ channel }) => channel === 'wechat'))
      .toMatchObject({ open: 0, turns: 1, ends: [{ by: 'passive-reply', count: 1 }], bot: 'job' });
    const wechat = watched.overviews.at(-1)?.accounts[0];
    expect(wechat?.waitP50).toBeGreaterThan(2.8);
    expect(wechat?.cover).toBeGreaterThan(0.5);
    expect(watched.overviews.at(-1)?.waits.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(watched.notices.map(({ notice }) => notice.is)).toEqual(
      expect.arrayContaining(['inbound', 'call', 'bot', 'ended', 'delivery']),
    );
    checkStream(watched);
    watched.close();
  });

  test('say what the platform refuses, and how to mend it', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 1_500 } });
    const watched = await browser.watch();
    stage.simulator.wechat.faults.set('*', { code: 48001 });
    await stage.simulator.wechat.push({ user, text: message });
    await expect
      .poll(() => watched.overviews.at(-1)?.accounts[0]?.refusals)
      .toMatchObject([{ code: 48001, outcome: 'account-off', remedy: expect.stringMatching(/\w/) }]);
    await expect
      .poll(() => watched.overviews.map(({ accounts: [account] }) => account?.typing))
      .toContainEqual(expect.objectContaining({ is: 'off', code: 48001 }));
    expect((await browser.ask('PUT', 'accounts/wechat/default/typing', {})).status).toBe(204);
    await expect
      .poll(() => watched.overviews.at(-1)?.accounts.find(({ channel }) => channel === 'wechat')?.typing)
      .toMatchObject({ is: 'trying', code: 48001 });
    expect((await browser.ask('PUT', 'accounts/wechat/other/typing', {})).status).toBe(404);
    checkStream(watched);
    watched.close();
  });

  test('say that an answer came too late which no API can send', async () => {
    const { stage, browser } = await start({ bot: { style: 'transfer', thinkMs: 1_000 } });
    const watched = await browser.watch();
    await stage.simulator.wechat.push({ user, text: message });
    await expect.poll(() => watched.overviews.at(-1)?.accounts[0]?.impossible).toBe(1);
    checkStream(watched);
    watched.close();
  });

  test('end at once when the process stops', async () => {
    const { stage, browser } = await start();
    const watched = await browser.watch();
    await expect.poll(() => watched.overviews.length).toBeGreaterThan(0);
    await stage.webs[0]?.stop();
    await watched.ended;
    // What is still open after 6 s is broken off by the server.
    expect(watched.complete()).toBe(true);
  });

  test('say that Redis is away, and the control of a conversation does too', async () => {
    const { stage, browser } = await start();
    const watched = await browser.watch();
    await expect.poll(() => watched.overviews.at(-1)?.redis).toBe('ok');
    await stage.redis.stop();
    await expect.poll(() => watched.overviews.at(-1)?.redis).toBe('away');
    for (const path of ['search?q=a', 'failed', `conversations/wechat/default/${user}`])
      expect([path, (await browser.ask('GET', path)).status]).toEqual([path, 503]);
    checkStream(watched);
    watched.close();
  });
});

describe('a search', () => {
  test('finds a user, a message and a turn, and what was not typed for, and why', async () => {
    const { stage, browser } = await start();
    const { msgId } = await stage.simulator.wechat.push({ user, text: message });
    await stage.simulator.wechat.phone(user).next(received);
    const search = (query: string): Promise<z.output<typeof schemas.searchAnswer>> =>
      ask(browser, `search?${query}`, schemas.searchAnswer);
    await expect
      .poll(async () => (await search(`q=${user}`)).entries.map(({ notice }) => notice.is))
      .toEqual(expect.arrayContaining(['ended', 'inbound', 'delivery']));
    for (const q of [msgId, `${user}-${msgId}`, ` %2B${user} `])
      expect((await search(`q=${q}`)).entries.map(({ notice }) => notice.is)).toContain('inbound');
    expect((await search('q=nobody')).entries).toEqual([]);
    expect((await search(`q=${user}&to=1000`)).entries).toEqual([]);
    expect((await search('q=&from=0')).entries.length).toBeGreaterThan(2);
    for (const query of ['from=x', 'before=x', `q=${'x'.repeat(300)}`])
      expect((await browser.ask('GET', `search?${query}`)).status).toBe(400);
  });

  test('finds nothing of a user who was forgotten', async () => {
    const { stage, browser } = await start();
    await stage.simulator.wechat.push({ user, text: message });
    await stage.simulator.wechat.phone(user).next(received);
    const redis = stage.redis.connect();
    const written = async (): Promise<string> => JSON.stringify(await redis.xrange(keys.journal, '-', '+'));
    await expect.poll(async () => (await written()).includes('\\"d\\"')).toBe(true);
    const forget = await fetch(`${stage.webs[0]?.url}/conversations/wechat/default/${user}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(forget.status).toBe(204);
    // Each process has seen something of it, and writes it down a moment later.
    await expect
      .poll(async () => (await ask(browser, `search?q=${user}`, schemas.searchAnswer)).entries)
      .toEqual([]);
    await expect.poll(written).not.toContain(user);
  });
});

describe('a conversation', () => {
  test('is read, paused and resumed', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 60_000 } });
    await stage.simulator.nxcloud.push({ user: '8613800138000', text: message });
    const path = 'conversations/nxcloud/default/8613800138000';
    await expect.poll(async () => (await ask(browser, path, schemas.view)).turns.length).toBe(1);
    const paused = await browser.ask('PUT', `${path}/pause`, { seconds: 60 });
    expect(await paused.json()).toEqual({ until: expect.any(Number) });
    await expect.poll(async () => (await ask(browser, path, schemas.view)).pausedBy).toBe('control');
    expect((await browser.ask('DELETE', `${path}/pause`, {})).status).toBe(204);
    await expect.poll(async () => (await ask(browser, path, schemas.view)).pausedBy).toBeNull();
    const open = await browser.ask('PUT', `${path}/pause`, {});
    expect(await open.json()).toEqual({ until: null });
    for (const seconds of [0, -1, 1.5, '60', 31_536_001])
      expect((await browser.ask('PUT', `${path}/pause`, { seconds })).status).toBe(400);
    expect((await browser.ask('GET', 'conversations/nxcloud/other/1')).status).toBe(404);
    expect((await browser.ask('GET', 'conversations/wechat/default/%E0%A4%A')).status).toBe(400);
  });
});

describe('a failed reply', () => {
  test('that certainly did not arrive runs again when asked once', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 400 } });
    stage.simulator.wechat.faults.set(sendPath, { code: 45047 });
    const job = await failOne(stage, browser);
    expect(job).toMatchObject({
      channel: 'wechat',
      user,
      unknown: false,
      reason: expect.stringMatching(/45047/),
    });
    stage.simulator.wechat.faults.clear();
    expect((await browser.ask('POST', `failed/${job.job}/retry`, {})).status).toBe(204);
    expect(await stage.simulator.wechat.phone(user).next(received)).toMatchObject({ via: 'api' });
    await expect.poll(() => failed(browser)).toEqual([]);
    expect((await browser.ask('POST', `failed/${job.job}/retry`, {})).status).toBe(404);
  });

  test('that two people run again at the same time runs once, and the second is told so', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 400 } });
    stage.simulator.wechat.faults.set(sendPath, { code: 45047 });
    const job = await failOne(stage, browser);
    stage.simulator.wechat.faults.clear();
    const both = [1, 2].map(() => browser.ask('POST', `failed/${job.job}/retry`, {}));
    const statuses = (await Promise.all(both)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([204, 404]);
    await stage.simulator.wechat.phone(user).next(received);
    await expect.poll(() => failed(browser)).toEqual([]);
    expect(stage.simulator.wechat.phone(user).marks.filter(received)).toHaveLength(1);
  });

  test('of which nobody knows asks twice', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 400 } });
    stage.simulator.wechat.faults.set(sendPath, { reset: true, carriedOut: true });
    const job = await failOne(stage, browser);
    expect(job).toMatchObject({ unknown: true, reason: expect.stringMatching(/^outcome unknown/) });
    stage.simulator.wechat.faults.clear();
    const asked = await browser.ask('POST', `failed/${job.job}/retry`, {});
    expect(asked.status).toBe(409);
    expect(await asked.json()).toEqual({ error: expect.stringMatching(/twice/), unknown: true });
    expect(await failed(browser)).toHaveLength(1);
    expect(stage.simulator.wechat.phone(user).marks.filter(received)).toHaveLength(1);
    expect((await browser.ask('POST', `failed/${job.job}/retry`, { unknown: true })).status).toBe(204);
    await expect.poll(() => stage.simulator.wechat.phone(user).marks.filter(received).length).toBe(2);
  });
});

describe('what nobody knows of a reply', () => {
  test('is still not known when its delivery is forgotten before its job', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 400 } });
    stage.simulator.wechat.faults.set(sendPath, { reset: true, carriedOut: true });
    const job = await failOne(stage, browser);
    await stage.redis.connect().del(keys.delivery(`wechat/default/${job.turn}`));
    expect(await failed(browser)).toMatchObject([{ unknown: true }]);
    expect((await browser.ask('POST', `failed/${job.job}/retry`, {})).status).toBe(409);
    stage.simulator.wechat.faults.clear();
    expect((await browser.ask('POST', `failed/${job.job}/retry`, { unknown: true })).status).toBe(204);
  });
});

describe('what is shown', () => {
  test('holds no message, no answer and no secret, wherever one looks', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 400 } });
    const { simulator, config } = stage;
    const watched = await browser.watch();
    await simulator.nxcloud.push({ user: '8613800138000', text: message });
    await simulator.nxcloud.phone('8613800138000').next(received);
    simulator.wechat.faults.set(sendPath, { reset: true });
    const job = await failOne(stage, browser);
    await expect.poll(() => watched.notices.some(({ notice }) => notice.is === 'delivery')).toBe(true);
    const redis = stage.redis.connect();
    const queue = new Queue('replies', { connection: redis, prefix: keys.prefix });
    const kept = await queue.getJob(job.job);
    await kept?.log(message);
    const { push } = (kept as Job<ReplyJob>).data;
    const board = async (path: string): Promise<string> => {
      const headers = { cookie: browser.cookie ?? '' };
      const response = await fetch(`${stage.webs[0]?.url}/console/queues/api/${path}`, { headers });
      return `${response.status} ${await response.text()}`;
    };
    const everything = {
      journal: JSON.stringify(await redis.xrange(keys.journal, '-', '+')),
      stream: watched.text(),
      search: await (await browser.ask('GET', 'search')).text(),
      failed: await (await browser.ask('GET', 'failed')).text(),
      conversation: await (await browser.ask('GET', `conversations/wechat/default/${user}`)).text(),
      queues: await board('queues?activeQueue=replies&status=failed&page=1&jobsPerPage=10'),
      job: await board(`queues/replies/${job.job}`),
      flow: await board(`queues/replies/${job.job}/flow`),
      logs: await board(`queues/replies/${job.job}/logs`),
    };
    expect(everything.queues).toContain(`"id":"${job.job}"`);
    expect(everything.job).toMatch(/^200 .*outcome unknown/);
    expect(everything.logs).toBe('200 []');
    const secrets = [
      message,
      push.body,
      push.rawQuery,
      'echo:',
      token,
      'access_token',
      ...config.accounts.flatMap((account) =>
        Object.entries(account).flatMap(([name, value]) =>
          /secret|tokens|key/i.test(name) ? [value].flat().filter((each) => typeof each === 'string') : [],
        ),
      ),
    ];
    expect(secrets.length).toBeGreaterThan(8);
    for (const [where, text] of Object.entries(everything))
      for (const secret of secrets)
        expect([where, text.includes(secret), secret]).toEqual([where, false, secret]);
    watched.close();
  });

  test('of the queues can only be looked at', async () => {
    const { stage, browser } = await start({ bot: { thinkMs: 400 } });
    stage.simulator.wechat.faults.set(sendPath, { code: 45047 });
    const { job } = await failOne(stage, browser);
    const base = `${stage.webs[0]?.url}/console/queues`;
    const headers = { cookie: browser.cookie ?? '', 'content-type': 'application/json' };
    for (const [method, path] of [
      ['PUT', `/api/queues/replies/${job}/retry/failed`],
      ['PUT', `/api/queues/replies/${job}/clean`],
      ['PUT', '/api/queues/replies/retry/failed'],
      ['PUT', '/api/queues/pause'],
      ['POST', '/api/queues/replies/add'],
      ['PATCH', `/api/queues/replies/${job}/update-data`],
    ]) {
      const response = await fetch(`${base}${path}`, { method: method ?? '', headers, body: '{}' });
      expect([path, response.status]).toEqual([path, 405]);
    }
    expect(await failed(browser)).toHaveLength(1);
    expect((await fetch(`${base}/api/redis/stats`, { headers })).status).toBe(403);
    const page = await fetch(base, { headers });
    expect(await page.text()).not.toMatch(/https?:|\/\/[a-z]/);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(page.headers.get('x-powered-by')).toBeNull();
  });
});

test('a lone web says that it runs the queues', async () => {
  const { browser } = await start({ workers: 0 });
  const watched = await browser.watch();
  await expect.poll(() => watched.overviews.at(-1)?.workers).toBe('standby');
  watched.close();
});

test('in production without a token there is nothing', async () => {
  const { stage } = await start({ env: { CONTROL_TOKEN: '', NODE_ENV: 'production' } });
  const url = stage.webs[0]?.url;
  const there = await fetch(`${url}/console/api/failed`);
  const nowhere = await fetch(`${url}/nowhere`);
  expect(there.status).toBe(404);
  expect((await there.text()).replace('/console/api/failed', '')).toBe(
    (await nowhere.text()).replace('/nowhere', ''),
  );
});
