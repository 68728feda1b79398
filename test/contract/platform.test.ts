/** What every platform promises, whichever it is: one suite for all adapters, each against its simulated platform. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import type { Platform, Target } from '../../src/core/platform.ts';
import type { RawPush } from '../../src/core/wire.ts';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import { type Fault, type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { type Clients, createClients, createPlatform } from '../../src/wiring/platforms.ts';
import { machineClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

let simulator: Simulator;
let webhook: Server;
let clients: Clients;
let platforms: Record<string, Platform>;

const noCache = {
  get: () => Promise.reject(new Error('away')),
  set: () => Promise.reject(new Error('away')),
  drop: () => Promise.reject(new Error('away')),
  lock: () => Promise.reject(new Error('away')),
  unlock: () => Promise.reject(new Error('away')),
};

beforeAll(async () => {
  simulator = await startSimulator();
  // Pushes only make the phones' users known: what answers them matters to no test here.
  webhook = createServer((_, response) => response.end('success')).listen(0, '127.0.0.1');
  await once(webhook, 'listening');
  const address = webhook.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  simulator.wechat.connect(url);
  simulator.nxcloud.connect(url);
  clients = createClients();
  const { config } = loadConfig(simulatedEnvironment(simulator, { url: 'http://127.0.0.1:9/' }));
  const deps = { clients, clock: machineClock, cache: noCache, log: recordLog() };
  platforms = Object.fromEntries(
    config.accounts.map((account) => [account.channel, createPlatform(account, deps)]),
  );
});

afterAll(async () => {
  Object.values(clients).forEach((client) => client.close());
  await simulator.close();
  webhook.close();
});

const cases = [
  { channel: 'wechat', path: '/cgi-bin/message/custom/typing', contentType: 'text/xml' },
  { channel: 'nxcloud', path: '/api/wa/typingIndicator', contentType: 'application/json' },
] as const;

let users = 0;

describe.each(cases)('$channel', ({ channel, path, contentType }) => {
  let platform: Platform;
  let target: Target;

  beforeEach(async () => {
    const found = platforms[channel];
    if (!found) throw new Error(`no platform ${channel}`);
    platform = found;
    simulator[channel].faults.clear();
    users += 1;
    const user = channel === 'wechat' ? `oUser_${users}` : `86138${users}`;
    const pushed =
      channel === 'wechat'
        ? await simulator.wechat.push({ user, text: 'hi' })
        : await simulator.nxcloud.push({ user, text: 'hi' });
    target = { user, messageId: 'id' in pushed ? pushed.id : null };
  });

  test('its rules are numbers that fit together', () => {
    const { rules } = platform;
    expect(rules.lifetime).toBeLessThan(rules.window);
    expect(rules.windowMargin).toBeLessThan(rules.window);
    expect(rules.renewMargin).toBeGreaterThan(0);
    expect(rules.cap).toBeLessThan(rules.deadline);
    expect(rules.hides).toBe(platform.hide !== undefined);
  });

  test('a show is done and seen on the phone', async () => {
    expect(await platform.show(target)).toEqual({ is: 'done' });
    expect(simulator[channel].phone(target.user).litAt(Date.now())).toBe(true);
  });

  test('a hide, where there is one, takes it away', async () => {
    await platform.show(target);
    const hidden = await platform.hide?.(target);
    expect(hidden ?? null).toEqual(platform.rules.hides ? { is: 'done' } : null);
    expect(simulator[channel].phone(target.user).litAt(Date.now())).toBe(!platform.rules.hides);
  });

  test.each([
    { name: 'hangs', fault: { hang: true }, is: 'lost' },
    { name: 'resets', fault: { reset: true }, is: 'lost' },
    { name: 'answers 503', fault: { status: 503 }, is: 'lost' },
    { name: 'says that it is busy', fault: { code: -1 }, is: 'failed' },
  ] satisfies { name: string; fault: Fault; is: string }[])(
    'a platform that $name is an outcome, never an error',
    async ({ fault, is }) => {
      simulator[channel].faults.set(path, fault);
      expect((await platform.show(target)).is).toBe(is);
    },
  );

  test('whatever is pushed, it is refused or read, never thrown', async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.string().map((text) => Buffer.from(`<xml>${text}</xml>`)),
    );
    await fc.assert(
      fc.asyncProperty(anything, fc.string(), async (body, rawQuery) => {
        const push: RawPush = { method: 'POST', rawQuery, headers: [['Content-Type', contentType]], body };
        const received = await platform.receive(push);
        expect(['push', 'refusal', 'stranger']).toContain(received.is);
        // What is refused before its body is read would not have been taken with it.
        const refused = platform.admit?.(push) ?? null;
        expect(refused === null || received.is === 'refusal').toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('an acknowledgement is a 200', () => {
    expect(platform.acknowledgement.status).toBe(200);
  });

  test('an empty webhook answer is an acknowledgement', async () => {
    expect(await platform.readAnswer({ status: 200, headers: [], body: new Uint8Array() })).toEqual({
      is: 'acknowledgement',
    });
  });
});
