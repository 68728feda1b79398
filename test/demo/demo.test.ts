import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createDemo, type Demo } from '../../src/demo/demo.ts';
import { createFakeWorld, createPage, type FakePage, type FakeWorld } from './fakes.ts';

let world: FakeWorld;
let demo: Demo;
let ids: number;

beforeEach(() => {
  vi.useFakeTimers();
  world = createFakeWorld();
  ids = 0;
  demo = open();
});

afterEach(() => {
  demo.close();
  vi.useRealTimers();
});

function open(limits: Parameters<typeof createDemo>[0]['limits'] = {}): Demo {
  return createDemo({ world, newId: () => `v${(ids += 1)}`, limits });
}

function enter(): { id: string; page: FakePage; leave: () => void } {
  const id = demo.enter();
  if (typeof id !== 'string') throw new Error('The demo is full.');
  const page = createPage();
  const leave = demo.open(id, page);
  if (typeof leave !== 'function') throw new Error('The page was refused.');
  return { id, page, leave };
}

/** Time passes, in the world and for the ticker. */
function pass(ms: number): void {
  for (let left = ms; left > 0; left -= 1_000) {
    world.at += Math.min(left, 1_000);
    vi.advanceTimersByTime(Math.min(left, 1_000));
  }
}

const hello = { channel: 'wechat', text: 'hello', thinkMs: 5_000 } as const;

test('a message goes out four times, by users of the visitor’s own', () => {
  const { id, page } = enter();
  expect(demo.write(id, hello)).toBe('ok');
  expect(world.written).toMatchObject([
    { way: 'keeptyping', channel: 'wechat', text: 'hello', thinkMs: 5_000 },
    { way: 'interval' },
    { way: 'once' },
    { way: 'nothing' },
  ]);
  expect(new Set(world.written.map(({ user }) => user)).size).toBe(4);
  expect(page.of('turn')).toEqual([{ channel: 'wechat', from: 1_000, expected: 6_000, now: 1_000 }]);
  expect(page.of('mark')).toMatchObject([
    { way: 'keeptyping' },
    { way: 'interval' },
    { way: 'once' },
    { way: 'nothing' },
  ]);
  expect(JSON.stringify(page.events)).not.toContain('wechat-1');
});

test('a visitor’s own message takes the phone over from the page’s play, and nothing of the play shows in it', () => {
  const { id, page, leave } = enter();
  demo.write(id, { ...hello, played: true });
  demo.write(id, { ...hello, channel: 'nxcloud', played: true });
  const played = world.written.map(({ user }) => user);
  world.at = 3_000;
  demo.write(id, { ...hello, text: 'my own' });
  expect(page.of('afresh')).toEqual([{ channel: 'wechat' }]);
  expect(page.of('turn').at(-1)).toMatchObject({ channel: 'wechat', from: 3_000, expected: 8_000 });
  const own = world.written.slice(-4).map(({ user }) => user);
  expect(played.filter((user) => own.includes(user))).toEqual([]);
  const heard = page.of('mark').length;
  world.happen({ channel: 'wechat', user: played[0] ?? '', what: 'received' });
  expect(page.of('mark')).toHaveLength(heard);
  demo.write(id, hello);
  expect(page.of('afresh')).toHaveLength(1);
  leave();
  pass(240_000);
  expect(world.forgotten).toHaveLength(12);
});

test('no visitor hears of another', () => {
  const [one, other] = [enter(), enter()];
  const before = other.page.events.length;
  demo.write(one.id, hello);
  demo.trouble(one.id, 'slow');
  expect(other.page.events).toHaveLength(before);
});

test('the covers are the phones’, told every second until all answers are there', () => {
  const { id, page } = enter();
  demo.write(id, hello);
  pass(1_000);
  expect(page.of('cover')).toEqual(
    ['keeptyping', 'interval', 'once', 'nothing'].map((way) => ({
      channel: 'wechat',
      way,
      cover: 0.1,
      to: 2_000,
      answered: false,
      lost: false,
    })),
  );
  for (const { user } of world.written) world.happen({ channel: 'wechat', user, what: 'received' });
  expect(page.of('cover').slice(-4)).toMatchObject([
    { answered: true },
    { answered: true },
    { answered: true },
    { answered: true },
  ]);
  const told = page.events.length;
  pass(5_000);
  expect(page.events).toHaveLength(told);
});

test('a silent connection gets a sign of life', () => {
  const { page } = enter();
  pass(15_000);
  expect(page.of('alive')).toEqual([{}]);
});

test('a page that is opened again gets all that happened so far, in its order', () => {
  const { id } = enter();
  demo.write(id, hello);
  world.at += 10;
  world.happen({ channel: 'wechat', user: 'wechat-1', what: 'typing-on' });
  const again = createPage();
  demo.open(id, again);
  expect(again.events[0]).toMatchObject({
    event: 'begin',
    data: {
      now: 1_010,
      turns: [{ channel: 'wechat', from: 1_000 }],
      marks: [
        { what: 'sent' },
        { what: 'sent' },
        { what: 'sent' },
        { what: 'sent' },
        { what: 'typing-on', way: 'keeptyping' },
      ],
    },
  });
});

test('what breaks is told when it breaks and when it is mended', () => {
  const { id, page } = enter();
  expect(demo.trouble(id, 'down')).toBe('ok');
  expect(world.begun[0]?.users).toHaveLength(8);
  expect(page.of('trouble')).toEqual([{ trouble: 'down', on: true, at: 1_000 }]);
  world.at = 9_000;
  world.begun[0]?.over();
  expect(page.of('trouble')[1]).toEqual({ trouble: 'down', on: false, at: 9_000 });
});

test('a worker that stops for all is told to all; one that cannot stop now, to nobody', () => {
  const [one, other] = [enter(), enter()];
  demo.trouble(one.id, 'worker');
  expect(other.page.of('trouble')).toEqual([{ trouble: 'worker', on: true, at: 1_000 }]);
  world.refusesTrouble = true;
  expect(demo.trouble(other.id, 'worker')).toBe('soon');
  expect(other.page.of('trouble')).toHaveLength(1);
});

test('who has closed the page is forgotten, with all eight users, once every answer is long out', () => {
  const { id, leave } = enter();
  leave();
  pass(239_000);
  expect(world.forgotten).toEqual([]);
  pass(1_000);
  expect(world.forgotten).toHaveLength(8);
  expect(demo.write(id, hello)).toBe('unknown');
  expect(demo.open(id, createPage())).toEqual({ refused: 'unknown' });
});

test('who comes back in time is not forgotten, nor who never left', () => {
  const { id, leave } = enter();
  leave();
  pass(200_000);
  demo.open(id, createPage());
  pass(600_000);
  expect(world.forgotten).toEqual([]);
});

test('who never opens a page is forgotten too', () => {
  demo.enter();
  pass(240_000);
  expect(world.forgotten).toHaveLength(8);
});

test('there are only so many visitors, and again room when some are forgotten', () => {
  demo.close();
  demo = open({ visitors: 2 });
  const [first] = [enter(), enter()];
  expect(demo.enter()).toEqual({ refused: 'full' });
  first.leave();
  pass(240_000);
  expect(demo.enter()).toBe('v3');
});

test('a visitor has only so many pages', () => {
  const { id } = enter();
  const more = [1, 2, 3].map(() => typeof demo.open(id, createPage()));
  expect(more).toEqual(['function', 'function', 'object']);
});

test('messages are limited by the minute, by the visit, and per visitor', () => {
  demo.close();
  demo = open({ messagesPerMinute: 2, messages: 3 });
  const { id } = enter();
  expect([1, 2, 3].map(() => demo.write(id, hello))).toEqual(['ok', 'ok', 'soon']);
  expect(demo.write(enter().id, hello)).toBe('ok');
  world.at += 60_001;
  expect([1, 2].map(() => demo.write(id, hello))).toEqual(['ok', 'enough']);
  expect(world.written).toHaveLength(4 * 4);
});

test('breaking is limited by the minute', () => {
  demo.close();
  demo = open({ troublesPerMinute: 1 });
  const { id } = enter();
  expect([1, 2].map(() => demo.trouble(id, 'bot'))).toEqual(['ok', 'soon']);
});

test('at the end every page is ended', () => {
  const pages = [enter().page, enter().page];
  demo.close();
  expect(pages.map(({ ended }) => ended)).toEqual([true, true]);
});
