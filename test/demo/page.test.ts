/** The page behind the real web process: only where the demo runs, and only for whoever has its secrets. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { openDemo } from '../../src/demo/open.ts';
import { type DemoStage, openDemoStage } from './stage.ts';

describe('the demo on its web process', () => {
  let stage: DemoStage;

  beforeEach(async () => {
    stage = await openDemoStage();
  });

  afterEach(() => stage.close());

  test('serves the page beside the other routes', async () => {
    const [page, health] = [await fetch(stage.url), await fetch(`${stage.url}/healthz`)];
    expect(await page.text()).toContain('<title>keeptyping</title>');
    expect(await health.json()).toEqual({ status: 'alive' });
    expect((await fetch(`${stage.url}/demo/none`)).status).toBe(404);
  });

  test('takes no push that is not the simulated platforms’ own', async () => {
    const body = JSON.stringify({
      messages: [{ from: '9990001', id: 'wamid.1', type: 'text', text: { body: 'x' } }],
    });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${stage.url}/webhooks/nxcloud`, { method: 'POST', headers, body });
    expect(answer.status).toBe(401);
  });

  test('answers once, in time, and leaves no ghost, although the worker stops meanwhile', async () => {
    const { wechat } = stage.demo.simulator;
    const answer = await fetch(`${stage.url}/demo/visitors`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    const { visitor } = (await answer.json()) as { visitor: string };
    await post(`/${visitor}/messages`, { channel: 'wechat', text: 'hello', thinkMs: 4_000 });
    const sent = stage.marks.find(({ what }) => what === 'sent');
    const phone = wechat.phone(sent?.user ?? '');
    await phone.next(({ what }) => what === 'typing-on');
    expect((await post(`/${visitor}/troubles`, { trouble: 'worker' })).status).toBe(202);
    await phone.next(({ what }) => what === 'received');
    expect(phone.marks.filter(({ what }) => what === 'received')).toHaveLength(1);
    expect(phone.ghost(phone.marks.find(({ what }) => what === 'received')?.at ?? 0)).toBe(0);
  });

  function post(path: string, body: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(`${stage.url}/demo/visitors${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
  }
});

test('a real account in the environment is no part of a demo', async () => {
  const real = { WECHAT_ACCESS_TOKEN_URL: 'https://real.example/token', BOT_QUEUE: 'real', DEMO: '1' };
  Object.assign(process.env, real);
  const { config: base } = loadConfig({ DEMO: '1', LOG_FORMAT: 'json' }, () => null);
  const demo = await openDemo(base);
  for (const name of Object.keys(real)) delete process.env[name];
  await demo.close();
  expect(demo.config.botQueue).toBeNull();
  expect(demo.config.accounts).toHaveLength(2);
  for (const account of demo.config.accounts) expect(account.apiBase).toMatch(/^http:\/\/127\.0\.0\.1:/);
  expect(JSON.stringify(demo.config)).not.toContain('real');
});
