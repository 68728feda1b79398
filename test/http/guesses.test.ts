/** Who guesses a token is answered later and later, and who has the right one at once: real HTTP. */
import { createServer } from 'node:http';
import express from 'express';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { admit } from '../../src/control/control.ts';
import type { Notice } from '../../src/core/notice.ts';
import { createGuard } from '../../src/http/guard.ts';
import { createGuesses } from '../../src/http/guesses.ts';
import { createMetricsPage } from '../../src/http/metrics.ts';
import { openGateway } from '../gateway/scene.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { listen } from './wire.ts';

const minute = 60_000;

/** Sleeps end when the test says so, or with the process. */
function createScene() {
  const sleeping: { ms: number; end: () => void }[] = [];
  const clock = handClock(
    undefined,
    (ms, signal) =>
      new Promise((resolve, reject) => {
        const abort = () => reject(signal?.reason);
        signal?.addEventListener('abort', abort);
        const end = () => (signal?.removeEventListener('abort', abort), resolve());
        sleeping.push({ ms, end });
      }),
  );
  const log = recordLog();
  const told: Notice[] = [];
  const guesses = createGuesses({ clock, log, observe: (notice) => void told.push(notice) });
  /** What whoever guesses has to wait, in ms. */
  const waits = () => sleeping.map(({ ms }) => ms).filter((ms) => ms !== minute);
  const endMinute = async () => {
    sleeping.findLast(({ ms }) => ms === minute)?.end();
    await new Promise(setImmediate);
  };
  return { guesses, clock, log, told, sleeping, waits, endMinute };
}

type Guesser = Parameters<ReturnType<ReturnType<typeof createGuesses>['at']>>[0];

function from(address: string, headers: Record<string, string> = {}): Guesser {
  const caller = {
    headers: { authorization: 'Bearer wrong', ...headers },
    socket: { remoteAddress: address },
  };
  return caller as object as Guesser;
}

describe('whoever guesses', () => {
  test('waits twice as long each time, two seconds at most, and nobody else waits for it', () => {
    const { guesses, waits } = createScene();
    for (let n = 0; n < 7; n += 1) void guesses.at('control')(from('10.0.0.1'));
    void guesses.at('gateway')(from('10.0.0.2'));
    void guesses.at('metrics')(from('10.0.0.1', { 'x-forwarded-for': '10.0.0.1, 203.0.113.7' }));
    expect(waits()).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000, 100, 100]);
  });

  test('is not who shows no token where there is one to show', async () => {
    const { guesses, told, sleeping } = createScene();
    await guesses.at('control')({ ...from('10.0.0.1'), headers: {} });
    await guesses.at('metrics')({ ...from('10.0.0.1'), headers: {} });
    expect([told, sleeping]).toEqual([[], []]);
  });

  test('is counted each time, and told once a minute, with the count', async () => {
    const { guesses, told, log, waits, endMinute } = createScene();
    for (let n = 0; n < 3; n += 1) void guesses.at('login')(from('10.0.0.1'));
    void guesses.at('gateway')(from('10.0.0.2'));
    expect(told.map((notice) => notice.is === 'guess' && notice.token)).toEqual([
      'login',
      'login',
      'login',
      'gateway',
    ]);
    expect(log.lines).toEqual([]);
    await endMinute();
    expect(log.lines).toMatchObject([
      {
        level: 'warn',
        fields: { count: 4, sources: 2, from: '10.0.0.1', most: 3, tokens: ['login', 'gateway'] },
      },
    ]);
    // The next minute begins anew.
    void guesses.at('login')(from('10.0.0.1'));
    expect(waits().at(-1)).toBe(100);
    await endMinute();
    expect(log.lines).toHaveLength(2);
  });

  test('under ever new names fills no memory, and waits as one', async () => {
    const { guesses, log, waits, sleeping, endMinute } = createScene();
    for (let n = 0; n < 1_000; n += 1) {
      void guesses.at('control')(from('10.0.0.1', { 'x-forwarded-for': `name-${n}` }));
      sleeping.at(-1)?.end();
      await Promise.resolve();
    }
    const before = waits().length;
    for (let n = 0; n < 3; n += 1) {
      void guesses.at('control')(from('10.0.0.1', { 'x-forwarded-for': `late-${n}` }));
      sleeping.at(-1)?.end();
    }
    expect(waits().slice(before)).toEqual([100, 200, 400]);
    await endMinute();
    expect(log.lines).toMatchObject([{ fields: { count: 1_003, sources: 1_001 } }]);
  });

  test('holds no more than 200 connections: the others are answered at once', async () => {
    const { guesses, waits } = createScene();
    for (let n = 0; n < 200; n += 1) void guesses.at('gateway')(from(`10.0.0.${n}`));
    await guesses.at('gateway')(from('10.0.1.1'));
    expect(waits()).toHaveLength(200);
  });

  test('does not hold up a process that stops, which tells what it has counted', async () => {
    const { guesses, log } = createScene();
    const waiting = guesses.at('control')(from('10.0.0.1'));
    guesses.close();
    await waiting;
    await expect.poll(() => log.lines).toMatchObject([{ fields: { count: 1 } }]);
  });
});

const scrape = async () => ({ contentType: 'text/plain', text: 'up 1\n' });

describe('over HTTP', () => {
  const guard = createGuard({ tokens: ['the-right-token'], open: 'never' });

  async function serve() {
    const scene = createScene();
    const app = express();
    app.use('/accounts', admit(guard, scene.guesses.at('control')), (_, response) => void response.json({}));
    app.all('/metrics', createMetricsPage({ guard, scrape, guessed: scene.guesses.at('metrics') }));
    return { ...scene, url: await listen(createServer(app)) };
  }

  test.each(['/accounts', '/metrics'])(
    '%s: the right token never waits, a wrong one is refused after',
    async (path) => {
      const { url, waits, sleeping, clock } = await serve();
      const ask = (token: string) => request(url).get(path).set('Authorization', `Bearer ${token}`);
      const wrong = [ask('wrong'), ask('wrong')].map((asked) => asked.then(({ status }) => status));
      await expect.poll(waits).toEqual([100, 200]);
      expect(await Promise.race([...wrong, ask('the-right-token').then(({ status }) => status)])).toBe(200);
      for (const { ms, end } of sleeping) if (ms !== minute) end();
      expect(await Promise.all(wrong)).toEqual([401, 401]);
      expect(clock.slept.filter((ms) => ms !== minute)).toEqual([100, 200]);
    },
  );

  test('the gateway: the right key never waits, a wrong one is a 404 after', async () => {
    const { guesses, waits, sleeping } = createScene();
    const api = await listen(createServer((_, response) => void response.end('platform')));
    const access = { by: 'key', keys: ['the-right-key'] } as const;
    const { url } = await openGateway({ api, access, guessed: guesses.at('gateway') });
    const ask = async (key: string) => (await fetch(`${url}/gateway/${key}/wechat/default/x`)).status;
    const wrong = ask('wrong');
    await expect.poll(waits).toEqual([100]);
    expect(await Promise.race([wrong, ask('the-right-key')])).toBe(200);
    expect(await ask('the-right-key/telegram')).toBe(404);
    expect(waits()).toEqual([100]);
    for (const { end } of sleeping) end();
    expect(await wrong).toBe(404);
  });
});
