/** The live events, over a Redis that a test moves by hand. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import { openBrowser, shownIn, type Watched } from './scene.ts';
import { serveConsole, type Served, token } from './served.ts';

let served: Served | null = null;
const streams: Watched[] = [];

afterEach(async () => {
  streams.splice(0).forEach((stream) => stream.close());
  await served?.close();
  served = null;
});

async function start(options: Parameters<typeof serveConsole>[0] = {}): Promise<Served> {
  served = await serveConsole(options);
  return served;
}

async function watchIt({ url }: Served): Promise<Watched> {
  const browser = openBrowser(url);
  await browser.logIn(token);
  const watched = await browser.watch();
  streams.push(watched);
  return watched;
}

const whose = { channel: 'wechat', account: 'shop', user: 'openid' } as const;
const ghost = (ms: number): Notice => ({ is: 'ghost', at: 1, ...whose, ms });
const ids = (watched: Watched): string[] => [...shownIn(watched).keys()];

describe('a viewer', () => {
  test('is told of accounts that could not be loaded, with the reason', async () => {
    const watched = await watchIt(await start());
    const skipped = [{ account: 'wechat/broken', reason: 'token is missing' }];
    await expect.poll(() => watched.overviews.at(-1)?.skipped).toEqual(skipped);
  });

  test('of more than 200 accounts is told of those in which somebody waits, and how many there are', async () => {
    const accounts = [...Array.from({ length: 250 }, (_, n) => `a${n}`), 'shop'];
    const console = await start({ accounts });
    console.open('a');
    const watched = await watchIt(console);
    await expect.poll(() => watched.overviews.at(-1)?.accounts[0]?.account).toBe('shop');
    expect(watched.overviews.at(-1)?.accounts).toHaveLength(200);
    expect(watched.overviews.at(-1)?.accountsInAll).toBe(251);
  });

  test('is told all at first, and then what has changed', async () => {
    const console = await start();
    console.open('a');
    const watched = await watchIt(console);
    await expect.poll(() => ids(watched)).toEqual(['wechat/shop/a']);
    const { looks } = console.world;
    await expect.poll(() => console.world.looks).toBeGreaterThan(looks + 1);
    expect(watched.changes).toHaveLength(1);
    expect(watched.overviews).toHaveLength(1);
    console.open('b');
    await expect.poll(() => ids(watched)).toEqual(['wechat/shop/a', 'wechat/shop/b']);
    expect(watched.changes[1]?.changed.map(({ user }) => user)).toEqual(['b']);
    expect(watched.changes[1]).toMatchObject({ gone: [], open: 2, shown: 2 });
    console.open('b', { pausedUntil: console.clock.now() + 60_000, pausedBy: 'control' });
    await expect
      .poll(() => shownIn(watched).get('wechat/shop/b')?.pausedUntil)
      .toBe(console.clock.now() + 60_000);
    console.world.look = {
      ...(console.world.look as NonNullable<Served['world']['look']>),
      open: { count: 0, longest: [] },
    };
    await expect.poll(() => ids(watched)).toEqual([]);
    expect(watched.changes.at(-1)).toEqual({
      changed: [],
      gone: ['wechat/shop/a', 'wechat/shop/b'],
      open: 0,
      shown: 0,
    });
  });

  test('who comes later is told all as well, and the others nothing of it', async () => {
    const console = await start();
    console.open('a');
    const first = await watchIt(console);
    await expect.poll(() => ids(first)).toEqual(['wechat/shop/a']);
    const second = await watchIt(console);
    await expect.poll(() => ids(second)).toEqual(['wechat/shop/a']);
    expect(first.changes).toHaveLength(1);
  });

  test('gets each notice once, the newest fifty of before and all after', async () => {
    const console = await start();
    console.tell(...Array.from({ length: 60 }, (_, n) => ghost(n)));
    const watched = await watchIt(console);
    await expect.poll(() => watched.notices.length).toBe(50);
    console.tell(ghost(60));
    await expect.poll(() => watched.notices.length).toBe(51);
    expect(watched.notices.map(({ notice }) => notice.is === 'ghost' && notice.ms)).toEqual(
      Array.from({ length: 51 }, (_, n) => n + 10),
    );
  });

  test('gets what happens during its first look once, too', async () => {
    const console = await start();
    console.tell(ghost(0));
    console.world.between = () => console.tell(ghost(1));
    const watched = await watchIt(console);
    await expect.poll(() => watched.notices.length).toBeGreaterThan(1);
    expect(watched.notices.map(({ notice }) => notice.is === 'ghost' && notice.ms)).toEqual([0, 1]);
    const { looks } = console.world;
    await expect.poll(() => console.world.looks).toBeGreaterThan(looks + 1);
    expect(watched.notices).toHaveLength(2);
  });

  test('of a thousand notices in a second gets the newest hundred', async () => {
    const console = await start();
    const watched = await watchIt(console);
    await expect.poll(() => watched.overviews.length).toBe(1);
    console.tell(...Array.from({ length: 1_000 }, (_, n) => ghost(n)));
    await expect.poll(() => watched.notices.length).toBe(100);
    expect(watched.notices.at(-1)?.notice).toMatchObject({ ms: 999 });
  });

  test('is told why a whole account is dark', async () => {
    const console = await start();
    console.world.account = { offUntil: console.clock.now() + 1_000, offCode: 48001, remedy: 'Ask for it.' };
    const watched = await watchIt(console);
    await expect
      .poll(() => watched.overviews.at(-1)?.accounts[0]?.typing)
      .toEqual({ is: 'off', until: console.clock.now() + 1_000, code: 48001, remedy: 'Ask for it.' });
  });

  test('is told that what was refused is tried with the next message', async () => {
    const console = await start();
    console.world.account = { offUntil: console.clock.now(), offCode: 48001, remedy: 'Ask for it.' };
    const watched = await watchIt(console);
    await expect
      .poll(() => watched.overviews.at(-1)?.accounts[0]?.typing)
      .toEqual({ is: 'trying', code: 48001, remedy: 'Ask for it.' });
  });

  test('is told that the configuration of an account wants no typing', async () => {
    served = await serveConsole({ mode: 'off' });
    served.world.account = { offUntil: served.clock.now() + 1_000, offCode: 48001, remedy: 'Ask for it.' };
    const watched = await watchIt(served);
    await expect.poll(() => watched.overviews.at(-1)?.accounts[0]?.typing).toEqual({ is: 'mode_off' });
  });

  test('whose login ends is sent away', async () => {
    const console = await start();
    const watched = await watchIt(console);
    await expect.poll(() => watched.overviews.length).toBe(1);
    console.clock.set(console.clock.now() + 12 * 60 * 60_000);
    await watched.ended;
  });
});

describe('Redis', () => {
  test('away is told, and what has changed meanwhile once it is back', async () => {
    const console = await start();
    console.open('a');
    const watched = await watchIt(console);
    await expect.poll(() => ids(watched)).toEqual(['wechat/shop/a']);
    const { look } = console.world;
    console.world.look = null;
    await expect.poll(() => watched.overviews.at(-1)?.redis).toBe('away');
    expect(ids(watched)).toEqual(['wechat/shop/a']);
    console.tell(ghost(7));
    console.world.look = look;
    console.open('b');
    await expect.poll(() => watched.overviews.at(-1)?.redis).toBe('ok');
    expect(ids(watched)).toEqual(['wechat/shop/a', 'wechat/shop/b']);
    expect(watched.notices).toHaveLength(1);
    expect(console.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('away from the start: the page is told so, and is told all later', async () => {
    const console = await start();
    console.world.look = null;
    const watched = await watchIt(console);
    await expect.poll(() => watched.overviews.at(-1)?.redis).toBe('away');
    console.open('a');
    await expect.poll(() => ids(watched)).toEqual(['wechat/shop/a']);
  });

  test('is asked once a second for everybody, and not at all when nobody looks', async () => {
    const asleep: (() => void)[] = [];
    const passSecond = (): void => asleep.splice(0).forEach((wake) => wake());
    const console = await start({ sleep: () => new Promise((wake) => void asleep.push(wake)) });
    const viewers = await Promise.all(Array.from({ length: 5 }, () => watchIt(console)));
    await expect.poll(() => asleep.length).toBe(1);
    passSecond();
    await expect.poll(() => viewers.every(({ overviews }) => overviews.length === 1)).toBe(true);
    expect(console.world.looks).toBeLessThanOrEqual(2);
    viewers.forEach((viewer) => viewer.close());
    await expect
      .poll(
        () => new Promise<number>((resolve) => console.server.getConnections((_, count) => resolve(count))),
      )
      .toBeLessThanOrEqual(5);
    let before = -1;
    await expect
      .poll(
        () => {
          const same = before === console.world.looks;
          before = console.world.looks;
          passSecond();
          return same;
        },
        { interval: 100 },
      )
      .toBe(true);
    const again = await watchIt(console);
    await expect.poll(() => again.overviews.length).toBe(1);
  });
});

describe('streams', () => {
  test('end at once when the process stops, and no more are opened', async () => {
    const console = await start();
    const watched = await watchIt(console);
    await expect.poll(() => watched.overviews.length).toBe(1);
    console.console.close();
    await watched.ended;
    expect((await watchIt(console)).status).toBe(503);
  });

  test('are fifty at most', async () => {
    const console = await start();
    const browser = openBrowser(console.url);
    await browser.logIn(token);
    const all = await Promise.all(Array.from({ length: 51 }, () => browser.watch()));
    streams.push(...all);
    expect(all.filter(({ status }) => status === 200)).toHaveLength(50);
    expect(all.filter(({ status }) => status === 503)).toHaveLength(1);
    all.find(({ status }) => status === 200)?.close();
    await expect.poll(async () => (await watchIt(console)).status).toBe(200);
  });
});
