import { describe, expect, test } from 'vitest';
import type { Rules } from '../../src/core/rules.ts';
import { answers, at, fails, finishes, pauses, play, reached, writes, type Scenario } from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;

type Story = Partial<Scenario> & Pick<Scenario, 'events'>;

/** What the last turn that ended was like. */
function last(story: Story) {
  const { measured } = play({ rules: wechat, ...story });
  const { litMs, firstMs, untyped } = measured.at(-1) ?? {};
  return { litMs, firstMs, untyped };
}

const refused = { is: 'window-closed', code: 45080 } as const;
const failing = Array.from({ length: 100 }, () => ({ is: 'failed', code: -1 }) as const);

describe('for how long typing ran in a wait', () => {
  test('is counted from the platform’s word to the end, less what lies between two indicators', () => {
    const told = last({ events: [at(0, writes('a')), at(20, answers('a'))], takes: 100 });
    // Shown at 0.1 s; over at 15.1 s; again at 15.16 s, which the platform answers at 15.26 s.
    expect(told).toEqual({ litMs: 20_000 - 100 - 160, firstMs: 100, untyped: null });
  });

  test('ends with the indicator’s own life, where nothing renews it', () => {
    const once: Rules = { ...wechat, mode: 'once' };
    const told = last({ rules: once, events: [at(0, writes('a')), at(40, answers('a'))] });
    expect(told).toMatchObject({ litMs: wechat.lifetime, firstMs: 0 });
  });

  test('is counted for each of two who wait at once from its own message on', () => {
    const events = [at(0, writes('a')), at(5, writes('b')), at(9, answers('b')), at(10, answers('a'))];
    const { measured } = play({ rules: { ...wechat, darkAfterMessage: 0 }, events });
    expect(measured.map(({ id, litMs, firstMs }) => ({ id, litMs, firstMs }))).toEqual([
      { id: 'b', litMs: 4_000, firstMs: 0 },
      { id: 'a', litMs: 10_000, firstMs: 0 },
    ]);
  });

  test('never is more than the wait, however late its end is judged', () => {
    const told = last({ events: [at(0, writes('a')), at(5, answers('a'), 9)] });
    expect(told).toMatchObject({ litMs: 5_000 });
  });

  test('holds no call of which nobody knows whether it was carried out', () => {
    const lost = { is: 'lost', begun: true, cause: 'timeout' } as const;
    const told = last({ events: [at(0, writes('a')), at(1, answers('a'))], answers: [lost] });
    expect(told).toMatchObject({ litMs: 0, firstMs: null });
  });
});

describe('a wait without typing is put down to', () => {
  test.each([
    [
      'an answer that was faster',
      'answered_first',
      { takes: 500, events: [at(0, writes('a')), at(0.3, answers('a'))] },
    ],
    [
      'an end that was known before its message',
      'answered_first',
      { events: [at(1, answers('a')), at(0, writes('a'), 2)] },
    ],
    [
      'the mode',
      'mode_off',
      { rules: { ...wechat, mode: 'off' }, events: [at(0, writes('a')), at(9, answers('a'))] },
    ],
    [
      'the platform’s refusal',
      'window_closed',
      { answers: [refused], events: [at(0, writes('a')), at(9, answers('a'))] },
    ],
    [
      'a platform that fails each time',
      'not_accepted',
      { answers: failing, events: [at(0, writes('a')), at(60, fails('a'))] },
    ],
    [
      'the reason before the cap, not the cap',
      'mode_off',
      { rules: { ...wechat, mode: 'off' }, events: [at(0, writes('a')), at(400, fails('a'))] },
    ],
  ] as const)('%s', (_, reason, story) => {
    const { measured, skipped } = play({ rules: wechat, ...story });
    const said = [
      ...measured.filter(({ seen }) => seen).map(({ untyped }) => untyped),
      ...skipped.map((each) => each?.reason),
    ];
    expect(said).toEqual([reason]);
  });

  test('its kind, or a human who has the conversation', () => {
    const like = writes('a', { opensTurn: false });
    expect(play({ rules: wechat, events: [at(0, like)] }).skipped).toEqual([
      { turn: 'a', reason: 'event_kind' },
    ]);
    const paused = [at(0, pauses('control', 60)), at(1, writes('b'))];
    expect(play({ rules: wechat, events: paused }).skipped).toEqual([{ turn: 'b', reason: 'paused' }]);
  });

  test('nothing a second time when the message is repeated', () => {
    const like = writes('a', { opensTurn: false });
    const twice = play({
      rules: wechat,
      events: [at(0, writes('b')), at(1, writes('b')), at(2, answers('b')), at(3, writes('b'))],
    });
    expect(twice.skipped).toEqual([]);
    expect(play({ rules: wechat, events: [at(0, like)] }).measured).toEqual([]);
  });
});

describe('a ghost', () => {
  const over = [at(0, writes('a')), at(5, fails('a'))];

  test('on WeChat lasts from the end to the platform’s word that it is gone', () => {
    expect(play({ rules: wechat, events: over, takes: 300 }).ghostMs).toBe(300);
  });

  test('on WeChat whose cancelling fails lasts until it goes out by itself', () => {
    expect(play({ rules: wechat, events: over, answers: [{ is: 'done' }, ...failing] }).ghostMs).toBe(
      wechat.lifetime - 5_000,
    );
  });

  test('on WhatsApp is the rest of the indicator, for nothing takes it away', () => {
    expect(play({ rules: whatsapp, events: over }).ghostMs).toBe(whatsapp.lifetime - 5_000);
  });

  test('is none when a message takes it away, when somebody waits on, or when it is over', () => {
    for (const rules of [wechat, whatsapp]) {
      expect(play({ rules, events: [at(0, writes('a')), at(5, answers('a')), at(5, reached)] }).ghostMs).toBe(
        0,
      );
      const two = [at(0, writes('a')), at(1, writes('b')), at(5, fails('a')), at(6, answers('b'))];
      expect(play({ rules, events: two }).ghostMs).toBe(0);
      expect(
        play({ rules: { ...rules, mode: 'once' }, events: [at(0, writes('a')), at(60, fails('a'))] }).ghostMs,
      ).toBe(0);
    }
  });

  test('is not made by typing that nobody was shown', () => {
    expect(
      play({ rules: whatsapp, events: [at(0, writes('a')), at(5, finishes('a'))], answers: [refused] })
        .ghostMs,
    ).toBe(0);
  });
});
