/** What kind of bot the first answers show, as the log and whoever observes hear of it. */
import { describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import type { Sights } from '../../src/core/roster.ts';
import type { Evidence } from '../../src/core/state.ts';
import { createLooks, looks } from '../../src/typing/looks.ts';
import { noon } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

const minute = 60_000;
const second = 1_000;

interface Account {
  channel?: 'wechat' | 'nxcloud';
  bot?: { mode: 'job' | 'pass'; redeliver?: boolean } | null;
  /** What other processes have noted; null: Redis is away. */
  seen?: Sights | null;
}

function createScene({
  channel = 'wechat',
  bot = { mode: 'job', redeliver: true },
  seen = {},
}: Account = {}) {
  const log = recordLog();
  const told: Notice[] = [];
  const observe = createLooks({
    log,
    observe: (notice) => void told.push(notice),
    roster: { of: () => ({ bot }) },
    seen: async () => seen ?? Promise.reject(new Error('away')),
  });
  let at = noon;
  const place = { channel, account: 'shop' } as const;
  const say = (notice: object): void => observe({ at, ...place, ...notice } as Notice);
  const call = (user: string, answer: { status?: number; ms?: number }): void => {
    const { status = 200, ms = 80 } = answer;
    const turn = `${user}-1`;
    say({ is: 'inbound', user, turn, messageId: null, type: 'text', opensTurn: true });
    const result = status === 200 ? 'answered' : 'failed';
    say({ is: 'bot', user, turn, status, result, ms, overheadMs: 1 });
  };
  return {
    log,
    told,
    said: async () => {
      await new Promise(setImmediate);
      return log.lines.map(({ message }) => message);
    },
    pass: (ms: number) => void (at += ms),
    call,
    say,
    /** Each is answered so, and nothing else comes of it. */
    crowd: (answer: { status?: number; ms?: number } = {}, of = 3) => {
      for (let n = 0; n < of; n += 1) call(`u${n}`, answer);
    },
    end: (by: Evidence, user = 'u0') =>
      say({ is: 'ended', user, turn: `${user}-1`, by, waitMs: 1, litMs: 0, firstMs: null, untyped: null }),
    deliver: (way: 'inline' | 'sent' | 'passed', user = 'u0') =>
      say({ is: 'delivery', user, turn: `${user}-1`, way, code: 0, job: null }),
  };
}

describe('a bot that only acknowledges', () => {
  test('is named once three of its answers were not seen for minutes, and then every half hour', async () => {
    const it = createScene();
    it.crowd();
    it.pass(3 * minute - second);
    it.call('next', {});
    expect(await it.said()).toEqual([]);
    it.pass(second);
    it.call('next', {});
    await it.said();
    expect(it.log.lines).toEqual([
      { level: 'warn', fields: { channel: 'wechat', account: 'shop' }, message: looks.acknowledges },
    ]);
    expect(it.told).toMatchObject([{ is: 'look', account: 'shop', reason: looks.acknowledges }]);
    it.pass(30 * minute - second);
    it.call('next', {});
    expect(await it.said()).toHaveLength(1);
    it.pass(second);
    it.call('next', {});
    expect(await it.said()).toHaveLength(2);
  });

  test.each<[string, (it: ReturnType<typeof createScene>) => void]>([
    ['in the webhook’s answer', (it) => it.deliver('inline')],
    ['late, through the API', (it) => it.deliver('sent')],
    [
      'by the gateway',
      (it) => it.say({ is: 'outbound', user: 'u1', by: 'gateway', messageId: null, isMore: false }),
    ],
    ['by the bot’s queue', (it) => it.end('queue')],
  ])('is not, where one was seen: %s', async (_, answers) => {
    const it = createScene();
    it.crowd();
    answers(it);
    it.pass(4 * minute);
    it.call('next', {});
    expect(await it.said()).toEqual([]);
  });

  test.each<[string, Sights | null, boolean]>([
    ['another process has seen its answers', { 'end-by-gateway': noon - 90 * minute }, false],
    ['another one had, long ago', { 'end-by-gateway': noon - 180 * minute }, true],
    ['nobody has', { message: noon, 'end-by-deadline': noon, 'end-by-left': noon }, true],
    ['nobody knows, as Redis is away', null, false],
  ])('%s', async (_, seen, isNamed) => {
    const it = createScene({ seen });
    it.crowd();
    it.pass(4 * minute);
    it.call('next', {});
    expect(await it.said()).toEqual(isNamed ? [looks.acknowledges] : []);
  });

  test('is not, for what is no question: an event, a status', async () => {
    const it = createScene({ channel: 'nxcloud' });
    for (const user of ['a', 'b', 'c']) {
      it.say({ is: 'inbound', user, turn: user, messageId: null, type: 'event.VIEW', opensTurn: false });
      it.say({ is: 'bot', user, turn: user, status: 200, result: 'answered', ms: 5, overheadMs: 1 });
    }
    it.say({ is: 'bot', user: null, turn: 's', status: 200, result: 'answered', ms: 5, overheadMs: 1 });
    it.pass(4 * minute);
    it.call('next', {});
    expect(await it.said()).toEqual([]);
  });

  test('is not, where keeptyping does not call it', async () => {
    const it = createScene({ bot: null });
    it.crowd();
    it.pass(4 * minute);
    it.call('next', {});
    expect(await it.said()).toEqual([]);
  });
});

describe('a bot that waits for WeChat’s next delivery', () => {
  const once = { bot: { mode: 'job' } } as const;

  test('is named where it does not get one: an error just before WeChat hangs up, as LangBot’s', async () => {
    const it = createScene(once);
    it.crowd({ status: 500, ms: 4_800 }, 2);
    expect(await it.said()).toEqual([]);
    it.call('u3', { status: 500, ms: 4_800 });
    expect(await it.said()).toEqual([looks.waits]);
  });

  test('…or an acknowledgement after it, as CowAgent’s', async () => {
    const it = createScene(once);
    it.crowd({ ms: 5_100 });
    it.pass(3 * minute);
    it.call('next', { ms: 5_100 });
    expect(await it.said()).toEqual([looks.waits]);
  });

  test.each([
    ['fails at once', once, { status: 500, ms: 90 }],
    ['fails in another way', once, { status: 404, ms: 4_800 }],
    ['gets it', {}, { status: 500, ms: 4_800 }],
    ['gets WeChat’s own', { bot: { mode: 'pass' } }, { status: 500, ms: 4_800 }],
  ] as const)('is not, where it %s', async (_, account, answer) => {
    const it = createScene(account);
    it.crowd(answer, 5);
    expect(await it.said()).toEqual([]);
  });
});

describe('a bot in pass mode that answers later than WeChat waits', () => {
  test('is named after the third message without an answer', async () => {
    const it = createScene({ bot: { mode: 'pass' } });
    for (const user of ['a', 'b']) it.end('deliveries', user);
    expect(await it.said()).toEqual([]);
    it.end('deliveries', 'c');
    expect(await it.said()).toEqual([looks.late]);
  });

  test('is not, where it fails in time', async () => {
    const it = createScene({ bot: { mode: 'pass' } });
    for (const user of ['a', 'b', 'c', 'd']) {
      it.call(user, { status: 500 });
      it.end('deliveries', user);
    }
    expect(await it.said()).toEqual([]);
  });

  test('is not, where it answers others in time', async () => {
    const it = createScene({ bot: { mode: 'pass' } });
    for (const user of ['a', 'b']) it.end('deliveries', user);
    it.deliver('passed', 'c');
    it.end('deliveries', 'd');
    expect(await it.said()).toEqual([]);
  });
});

test('a bot that sends several messages to one question is named with the first', async () => {
  const it = createScene();
  it.say({ is: 'outbound', user: 'u', by: 'gateway', messageId: null, isMore: true });
  expect(await it.said()).toEqual([looks.several]);
});
