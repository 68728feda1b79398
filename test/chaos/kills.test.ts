import { Queue } from 'bullmq';
import { afterEach, describe, expect, test } from 'vitest';
import type { Mark } from '../../src/simulator/index.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { freePort } from '../support/redis-server.ts';
import { openBoth, openSite, start, type Site, type SiteOptions } from './processes.ts';

let site: Site;

afterEach(async () => {
  await site.close();
});

async function open(options: SiteOptions): Promise<Site> {
  site = await openSite(options);
  return site;
}

const user = 'oUser_1';
const received = (mark: Mark): boolean => mark.what === 'received';
const lights = (mark: Mark): boolean => mark.what === 'typing-on';

/** One indicator is short, the window long: what goes on after a kill is seen soon. */
const rules = { lifetime: 1_500, window: 60_000 };
const env = { WECHAT_RULES: JSON.stringify({ ...rules, renewMargin: 40 }), HOLD_MS: '400' };

const slowlyToHi = (text: string): number => (text === 'hi' ? 1_200 : 0);

describe('kill -9', { timeout: 60_000 }, () => {
  test('of the worker three times in one turn, with a second one running: it goes on, one answer, no ghost', async () => {
    const { simulator, bot } = await open({ env, wechat: { rules }, bot: { thinkMs: 2_500 } });
    await site.web();
    const workers = [await site.worker(), await site.worker()];
    const phone = simulator.wechat.phone(user);
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    let calls = 1;
    for (const next of [0, 1, 0]) {
      await bot.call(calls);
      await phone.next(lights);
      workers[next]?.signal('SIGKILL');
      await workers[next]?.exit;
      workers[next] = await site.worker();
      calls = bot.calls.length;
    }
    await pushed;
    const answer = await phone.next(received);
    await expect.poll(() => phone.litAt(Date.now())).toBe(false);
    expect(phone.marks.filter(received)).toHaveLength(1);
    expect(phone.ghost(answer.at)).toBe(0);
    expect(bot.calls.at(-1)?.attempt).toBe(String(bot.calls.length));
  });

  test('of the only worker: the web takes over within 5 s, new turns and old', async () => {
    const thinkMs = 7_000;
    const { simulator, bot } = await open({ env, wechat: { rules }, bot: { thinkMs } });
    await site.web();
    const worker = await site.worker();
    const old = simulator.wechat.phone(user);
    const pushed = simulator.wechat.push({ user, text: 'old' });
    await old.next(lights);
    const killedAt = Date.now();
    worker.signal('SIGKILL');
    await worker.exit;
    const fresh = simulator.wechat.phone('oUser_2');
    const second = simulator.wechat.push({ user: 'oUser_2', text: 'new' });
    const [onForOld, onForNew] = await Promise.all([
      old.next((mark) => lights(mark) && mark.at > killedAt + 1_600),
      fresh.next(lights),
    ]);
    // The call that the dead worker made would not have been answered by then.
    const [asked] = bot.calls;
    expect(onForNew.at).toBeLessThan((asked?.at ?? 0) + thinkMs);
    expect(onForOld.at).toBeLessThan((asked?.at ?? 0) + thinkMs);
    await Promise.all([old.next(received), fresh.next(received), pushed, second]);
    expect(old.marks.filter(received)).toHaveLength(1);
  });

  test('of the web while it holds the connection: a worker calls the bot again, and the answer arrives once', async () => {
    const { simulator, bot } = await open({
      env: { ...env, HOLD_MS: '4000' },
      wechat: { rules },
      bot: { thinkMs: slowlyToHi },
    });
    const { web } = await openBoth(site);
    const calls = bot.calls.length;
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    await bot.call(calls + 1);
    web.signal('SIGKILL');
    await web.exit;
    const phone = simulator.wechat.phone(user);
    expect(await phone.next(received)).toMatchObject({ via: 'api' });
    await pushed;
    expect(phone.marks.filter(received)).toHaveLength(1);
    expect(bot.calls.slice(calls).map(({ attempt }) => attempt)).toEqual(['1', '2']);
  });
});

describe('kill -9 of all that there is, started again', { timeout: 60_000 }, () => {
  test('a WhatsApp bot that lived on ends the wait by its answer: no typing follows, nor another call', async () => {
    const lifetime = 1_500;
    const port = await freePort();
    const { simulator, bot, environment } = await open({
      env: { NXCLOUD_RULES: JSON.stringify({ lifetime, renewMargin: 40 }), PORT: String(port) },
      nxcloud: { rules: { lifetime } },
      bot: { thinkMs: 6_000, style: 'waits' },
    });
    const base = `http://127.0.0.1:${port}`;
    const apiBase = `${base}/gateway/${environment['GATEWAY_KEY'] ?? ''}/nxcloud/default`;
    bot.set({ nxcloud: { ...simulator.nxcloud.options, apiBase } });
    simulator.nxcloud.connect(`${base}/webhooks/nxcloud`);
    const first = start('main', environment);
    await first.says('"listening"');
    const whatsapp = '8613800000001';
    const phone = simulator.nxcloud.phone(whatsapp);
    await simulator.nxcloud.push({ user: whatsapp, text: 'hi' });
    await Promise.all([bot.call(1), phone.next(lights)]);
    first.signal('SIGKILL');
    await first.exit;
    const second = start('main', environment);
    try {
      const back = Date.now();
      await phone.next((mark) => lights(mark) && mark.at > back);
      const answer = await phone.next(received);
      await second.says('a worker takes it over');
      const replies = new Queue(queueNames.replies, {
        connection: { url: environment['REDIS_URL'] ?? '' },
        prefix: keys.prefix,
      });
      const left = async (): Promise<number> =>
        Object.values(await replies.getJobCounts()).reduce((sum, count) => sum + count, 0);
      await expect.poll(left, { timeout: 20_000 }).toBe(0);
      await replies.close();
      // The others are the statuses of its message.
      const [asked] = bot.calls;
      const same = bot.calls.filter(({ key }) => key === asked?.key);
      expect(same.map(({ attempt }) => attempt)).toEqual(['1']);
      expect(phone.marks.filter(received)).toHaveLength(1);
      expect(phone.ghost(answer.at)).toBe(0);
    } finally {
      second.signal('SIGKILL');
      await second.exit;
    }
  });
});

describe('SIGTERM', { timeout: 60_000 }, () => {
  test('lets a worker hear the end of a renewal that is under way, and exit with 0', async () => {
    const { simulator } = await open({
      env: { ...env, LOG_LEVEL: 'debug' },
      wechat: { rules },
      bot: { thinkMs: 4_000 },
    });
    const { worker } = await openBoth(site);
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    const phone = simulator.wechat.phone(user);
    const first = await phone.next(lights);
    // The phone shows it at once; the platform's answer takes its time.
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { latencyMs: 1_000, carriedOut: true }, 1);
    await phone.next((mark) => lights(mark) && mark.at > first.at);
    worker.signal('SIGTERM');
    expect(await worker.exit).toBe(0);
    const lines = worker.output().split('\n');
    expect(lines.filter((line) => line.includes('"typing call"') && line.includes(user))).toHaveLength(2);
    await phone.next(received);
    await pushed;
  });

  test('lets a web answer what it holds and exit with 0', async () => {
    const { simulator, bot } = await open({
      env: { ...env, HOLD_MS: '4000' },
      wechat: { rules },
      bot: { thinkMs: 800 },
    });
    const web = await site.web();
    await site.worker();
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    await bot.call(1);
    web.signal('SIGTERM');
    expect((await pushed).deliveries.map(({ status }) => status)).toEqual([200]);
    expect(await web.exit).toBe(0);
    expect(await simulator.wechat.phone(user).next(received)).toMatchObject({ via: 'passive' });
  });

  test('leaves a call of the bot that takes too long to a worker, and exits with 0 inside 25 s', async () => {
    let calls = 0;
    const thinkMs = (text: string): number => (text === 'hi' && (calls += 1) === 1 ? 60_000 : 0);
    const { simulator, bot } = await open({ env, wechat: { rules }, bot: { thinkMs } });
    const { web } = await openBoth(site);
    const next = bot.calls.length + 1;
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    const call = await bot.call(next);
    await pushed;
    web.signal('SIGTERM');
    expect(await web.exit).toBe(0);
    // It has hung up on a bot that still thinks: after 24 s a process ends itself, whatever it does.
    await call.ended;
    expect(call).toMatchObject({ hungUp: true, answeredAt: null });
    expect((await bot.call(next + 1)).attempt).toBe('2');
    await simulator.wechat.phone(user).next(received);
    expect(simulator.wechat.phone(user).marks.filter(received)).toHaveLength(1);
  });
});
