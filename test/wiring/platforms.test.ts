/** What is served of an account, over real connections: where those of one that was set at run time may lead. */
import { request } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGate, startBot } from '../http/wire.ts';
import { type Account, loadConfig } from '../../src/config/index.ts';
import { readRuntimeAccount } from '../../src/config/accounts.ts';
import type { Served } from '../../src/core/roster.ts';
import { asNoAnswer, NoAnswer } from '../../src/core/wire.ts';
import { ADDRESS_REFUSED } from '../../src/http/confine.ts';
import { createClients, createServing } from '../../src/wiring/platforms.ts';
import { createReleases } from '../../src/wiring/releases.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

const noCache = {
  get: async () => null,
  set: async () => {},
  drop: async () => {},
  lock: async () => 'mine',
  unlock: async () => {},
};

function openServing(environment: Record<string, string> = {}) {
  const { config } = loadConfig({ DEMO: '0', ...environment }, () => null);
  const clients = createClients();
  const releases = createReleases(() => {});
  releases.add('clients', () =>
    Object.values(clients).forEach((client: { close(): void }) => client.close()),
  );
  onTestFinished(() => releases.all());
  return createServing({ config, clients, releases, clock: handClock(), cache: noCache, log: recordLog() });
}

function accountOf(url: string, fields: object = {}): Account {
  const given = { appId: 'wx1', appSecret: 'secret', token: 'token', apiBase: url, botUrl: url, ...fields };
  const limits = { replyDeadlineMs: 600_000, typingCapMs: 180_000 };
  const read = readRuntimeAccount({ channel: 'wechat', name: 'shop', fields: given }, limits);
  if ('faults' in read) throw new Error(read.faults.join());
  return read.account;
}

const callBot = (served: Served, url: string) =>
  served.bot
    ?.send?.({ method: 'POST', url, headers: [], body: '', timeoutMs: 5_000 })
    .then(({ status }) => status, asNoAnswer);

const passive = {
  status: 200,
  headers: [],
  body: new TextEncoder().encode('<xml><MsgType>text</MsgType><Content>hi</Content></xml>'),
};

/** Every kind of call that an account makes. */
async function callAll(served: Served, url: string, agent: Parameters<typeof request>[1]['agent']) {
  await served.platform.show({ user: 'oUser', messageId: null });
  await served.platform.hide?.({ user: 'oUser', messageId: null });
  await served.platform.sendLate?.('oUser', passive);
  await callBot(served, url);
  await new Promise<void>((resolve) => {
    const through = request(url, { agent }, (answer) => answer.resume().once('end', () => resolve()));
    through.once('error', () => resolve()).end();
  });
}

/** The same server by a name that no check of the URL alone sees through. */
const byName = (url: string): string => url.replace('127.0.0.1', 'localhost');

describe('an account that was set at run time', () => {
  test('reaches nothing on this machine: not its bot, not its API, not its token service, not through the gateway', async () => {
    const inside = await startBot((response) =>
      response.end('{"access_token":"t","expires_in":60,"errcode":0}'),
    );
    const serving = openServing();
    for (const url of [inside.url, byName(inside.url)]) {
      for (const fields of [{}, { accessTokenUrl: url }]) {
        const served = serving.confined(accountOf(url, fields));
        await callAll(served, url, serving.agentFor(served));
        expect(await callBot(served, url)).toMatchObject({ message: ADDRESS_REFUSED, begun: false });
      }
    }
    expect(inside.asked).toEqual([]);
  });

  test('reaches it where that is allowed', async () => {
    const inside = await startBot((response) => response.end('{"errcode":0,"access_token":"t"}'));
    const serving = openServing({ ALLOW_PRIVATE_URLS: '1' });
    const served = serving.confined(accountOf(byName(inside.url)));
    await callAll(served, byName(inside.url), serving.agentFor(served));
    expect(inside.asked.length).toBeGreaterThan(3);
  });

  test('follows no redirect, whoever answers with one', async () => {
    const inside = await startBot((response) => response.end('{"access_token":"t","expires_in":60}'));
    const outside = await startBot((response) => response.writeHead(302, { Location: inside.url }).end());
    const serving = openServing({ ALLOW_PRIVATE_URLS: '1' });
    for (const fields of [{}, { accessTokenUrl: outside.url }]) {
      const served = serving.confined(accountOf(outside.url, fields));
      await callAll(served, outside.url, serving.agentFor(served));
    }
    expect(outside.asked.length).toBeGreaterThan(5);
    expect(inside.asked).toEqual([]);
  });
});

test('an account that files or the environment define reaches this machine: the bot is mostly there', async () => {
  const bot = await startBot((response) => response.end('{}'));
  const serving = openServing();
  const served = serving.configured(accountOf(bot.url));
  const answer = await callBot(served, bot.url);
  expect(answer).not.toBeInstanceOf(NoAnswer);
  expect(answer).toBe(200);
});

test('an account’s own limit of calls under way is its bot’s', () => {
  const account = accountOf('http://bot');
  const serving = openServing();
  expect(serving.configured(account).bot?.concurrency).toBeNull();
  expect(serving.configured({ ...account, replyConcurrency: 4 }).bot?.concurrency).toBe(4);
});

test('hundreds of calls of one account that hang do not hold up another account’s to the same host', async () => {
  const hanging = createGate();
  const host = await startBot((response, { url }) => {
    if (url.endsWith('/slow')) void hanging.passed.then(() => response.end('{}'));
    else response.end('{}');
  });
  const clients = createClients();
  onTestFinished(() => [clients.typing, clients.messages, clients.bot].forEach((client) => client.close()));
  const serving = openServing({ ALLOW_PRIVATE_URLS: '1', REPLY_CONCURRENCY: '8', TYPING_CONCURRENCY: '8' });
  const confined = serving.confined(accountOf(host.url)).bot?.send ?? [];
  const sends = [clients.typing, clients.messages, clients.bot].map(({ send }) => send).concat(confined);
  const to = (path: string, timeoutMs: number) =>
    ({ method: 'POST', url: `${host.url}/${path}`, headers: [], body: '', timeoutMs }) as const;
  const held = sends.flatMap((send) => Array.from({ length: 250 }, () => send(to('slow', 20_000))));
  await expect.poll(() => host.asked.length).toBe(held.length);
  for (const send of sends) expect((await send(to('other', 5_000))).status).toBe(200);
  expect(clients.gateway.agentFor(host.url).maxSockets).toBe(Infinity);
  hanging.open();
  await Promise.all(held);
});
