/** Who reads the metrics where, and what stands in them of a Redis that is really there. */
import { saidElsewhere } from '../../src/core/said.ts';
import { Queue } from 'bullmq';
import { afterEach, describe, expect, test } from 'vitest';
import { asOperator, markIs, type Stage, useStage } from '../e2e/stage.ts';
import { valueOf } from '../metrics/exposition.ts';
import { loadConfig } from '../../src/config/index.ts';
import { workerGuard } from '../../src/http/guard.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { startHealth } from '../../src/wiring/metrics.ts';
import { createReleases } from '../../src/wiring/releases.ts';

const { open } = useStage();
const releases = createReleases((name, error) => {
  throw new Error(`${name} did not close`, { cause: error });
});
afterEach(() => releases.all());

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function scrapeWeb({ webs }: Stage, init: RequestInit = asOperator): Promise<Response> {
  return fetch(`${webs[0]?.url}/metrics`, init);
}

describe('a web process', () => {
  test('tells who has the control token', async () => {
    const stage = await open();
    const answer = await scrapeWeb(stage);
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(valueOf(text, 'keeptyping_redis_up')).toBe(1);
    expect(valueOf(text, 'keeptyping_worker_up')).toBe(1);
    expect(valueOf(text, 'keeptyping_account_typing', { channel: 'nxcloud', account: 'default' })).toBe(1);
    expect((await scrapeWeb(stage, {})).status).toBe(401);
  });

  test.each(['', 'production'])('hides them where no token is set, NODE_ENV=%s', async (NODE_ENV) => {
    const stage = await open({ env: { NODE_ENV, CONTROL_TOKEN: '' }, workers: 0 });
    expect((await scrapeWeb(stage, {})).status).toBe(404);
  });

  test('takes the metrics token and the control token, and no other', async () => {
    const env = { METRICS_TOKEN: 'metrics-token-0001', CONTROL_TOKEN: 'control-token-0001' };
    const stage = await open({ env, workers: 0 });
    expect((await scrapeWeb(stage, bearer('metrics-token-0001'))).status).toBe(200);
    expect((await scrapeWeb(stage, bearer('control-token-0001'))).status).toBe(200);
    expect((await scrapeWeb(stage, bearer('another-token-0001'))).status).toBe(401);
    expect((await scrapeWeb(stage, {})).status).toBe(401);
    const description = await fetch(`${stage.webs[0]?.url}/openapi.json`, bearer('metrics-token-0001'));
    expect(description.status).toBe(200);
    const conversation = `${stage.webs[0]?.url}/conversations/wechat/default/oUser`;
    expect((await fetch(conversation, bearer('metrics-token-0001'))).status).toBe(401);
  });

  test('with the metrics token alone opens nothing to this machine without it', async () => {
    const stage = await open({ env: { METRICS_TOKEN: 'metrics-token-0001', CONTROL_TOKEN: '' }, workers: 0 });
    expect((await scrapeWeb(stage, {})).status).toBe(401);
  });

  test('counts wrong tokens, of each kind, and says nothing of each in the log', async () => {
    const stage = await open({ env: { METRICS_TOKEN: 'metrics-token-0001' }, workers: 0 });
    const { url = '' } = stage.webs[0] ?? {};
    const wrong = bearer('wrong-token-000001');
    const answers = await Promise.all([
      fetch(`${url}/accounts`, wrong),
      fetch(`${url}/conversations/wechat/default/oUser`, wrong),
      fetch(`${url}/metrics`, wrong),
      fetch(`${url}/gateway/wrong-key-0000000001/wechat/default/x`),
      fetch(`${url}/console/api/failed`, wrong),
      fetch(`${url}/console/api/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
        body: JSON.stringify({ token: 'wrong-token-000001' }),
      }),
      // Whoever shows none guesses nothing.
      fetch(`${url}/accounts`),
      fetch(`${url}/console/api/failed`),
      fetch(`${url}/metrics`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 404, 401, 401, 401, 401, 401]);
    const text = await (await scrapeWeb(stage)).text();
    const counts = ['control', 'metrics', 'gateway', 'login'].map((token) =>
      valueOf(text, 'keeptyping_wrong_tokens_total', { token }),
    );
    expect(counts).toEqual([3, 1, 1, 1]);
    expect(stage.log.lines.filter(({ message }) => message.startsWith('Wrong tokens'))).toEqual([]);
    await stage.webs[0]?.stop();
    expect(stage.log.lines.filter(({ message }) => message.startsWith('Wrong tokens'))).toMatchObject([
      { level: 'warn', fields: { count: 6, sources: 1, from: '127.0.0.1' } },
    ]);
  });

  test('counts the jobs that are in Redis, and says so when it is away', async () => {
    const stage = await open({ workers: 0, webs: 1 });
    const queue = new Queue(queueNames.replies, { connection: stage.redis.connect(), prefix: keys.prefix });
    await queue.add('later', {}, { delay: 60_000 });
    const state = { queue: 'replies', state: 'delayed' };
    const text = await (await scrapeWeb(stage)).text();
    expect(valueOf(text, 'keeptyping_queue_jobs', state)).toBe(1);
    await queue.close();
    await stage.redis.stop();
    await expect
      .poll(async () => valueOf(await (await scrapeWeb(stage)).text(), 'keeptyping_redis_up'))
      .toBe(0);
  });

  test('says which accounts the platform has switched off, whichever process learned it', async () => {
    const stage = await open();
    const { learned, roster } = stage.workers[0]?.parts ?? {};
    const served = roster?.of({ channel: 'wechat', account: 'default' });
    if (!learned || !served) throw new Error('The stage serves no WeChat account.');
    await learned.switchOff(served.platform, {
      is: 'account-off',
      code: 48001,
      remedy: saidElsewhere('Ask for it.'),
    });
    await stage.webs[0]?.parts.learned.refresh();
    const text = await (await scrapeWeb(stage)).text();
    expect(valueOf(text, 'keeptyping_account_typing', { channel: 'wechat', account: 'default' })).toBe(0);
  });
});

test('what happens is counted by the process that it happens in', async () => {
  // The answer may not be faster than the typing.
  const stage = await open({ bot: { thinkMs: 200 } });
  const user = 'oUserOfMetrics';
  await stage.simulator.wechat.push({ user, text: 'hi' });
  await stage.simulator.wechat.phone(user).next(markIs('received'));
  const shop = { channel: 'wechat', account: 'default' };
  const web = await (await scrapeWeb(stage)).text();
  expect(valueOf(web, 'keeptyping_pushes_total', { ...shop, result: 'taken' })).toBe(1);
  // Whoever writes the answer knows that the turn has ended; a worker makes the calls.
  const ends = { ...shop, evidence: 'passive-reply' };
  await expect
    .poll(async () => valueOf(await (await scrapeWeb(stage)).text(), 'keeptyping_turns_ended_total', ends))
    .toBe(1);
  await expect
    .poll(async () => {
      const { text = '' } = (await stage.workers[0]?.parts.metrics.scrape()) ?? {};
      return valueOf(text, 'keeptyping_calls_total', { ...shop, kind: 'show', outcome: 'done', code: '0' });
    })
    .toBe(1);
});

const scrape = async () => ({ contentType: 'text/plain', text: 'up 1\n' });

async function serve(env: Record<string, string>, guessed = async () => {}): Promise<string> {
  const { config } = loadConfig(env, () => null);
  const guard = workerGuard(config);
  const port = await startHealth({ port: 0, host: '127.0.0.1', guard, guessed, scrape, releases });
  return `http://127.0.0.1:${port}`;
}

describe('a worker', () => {
  test('tells whoever reaches its port, where no token is set', async () => {
    const url = await serve({ NODE_ENV: 'production' });
    const answer = await fetch(`${url}/metrics?x=1`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('up 1\n');
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'alive' });
    expect((await fetch(`${url}/`)).status).toBe(404);
  });

  test('with a metrics token tells only those who have one', async () => {
    const url = await serve({ METRICS_TOKEN: 'metrics-token-0001', CONTROL_TOKEN: 'control-token-0001' });
    expect((await fetch(`${url}/metrics`, bearer('metrics-token-0001'))).status).toBe(200);
    expect((await fetch(`${url}/metrics`, bearer('control-token-0001'))).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});
