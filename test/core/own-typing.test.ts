import { describe, expect, test } from 'vitest';
import {
  acknowledges,
  answers,
  at,
  fails,
  leaves,
  play,
  sends,
  types,
  writes,
  type Scheduled,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }] = tables;
const renewing = { ...wechat, afterAck: 'renew' } as const;
const line = (...events: Scheduled[]) => play({ rules: renewing, events });

describe('the bot switches its own indicator on', () => {
  test('while nothing shows: it is what shows, and is renewed when its 15 s are over', () => {
    const delayed = { ...renewing, startDelay: 3000 };
    const { calls } = play({
      rules: delayed,
      events: [at(0, writes('a')), at(2, types(true)), at(20, fails('a'))],
    });
    expect(calls).toBe('17.06 show, 20 hide');
  });

  test('while ours shows: ours goes on, and ends when ours ends', () => {
    expect(line(at(0, writes('a')), at(5, types(true)), at(20, fails('a'))).calls).toBe(
      '0 show, 15.06 show, 20 hide',
    );
  });

  test('after a message has taken ours away: it shows for 15 s from then', () => {
    const { calls } = line(at(0, writes('a')), at(5, sends()), at(6, types(true)), at(22, fails('a')));
    expect(calls).toBe('0 show, 21.06 show, 22 hide');
  });

  test('while ours is in flight: that is refused as already typing, and one indicator runs', () => {
    const { calls } = play({
      rules: renewing,
      events: [at(0, writes('a')), at(0.1, types(true)), at(9, fails('a'))],
      answers: [{ is: 'already' }],
      takes: 300,
    });
    expect(calls).toBe('0 show (already), 9 hide');
  });

  test('counts as the one indicator of a turn that shows but once', () => {
    const once = { ...wechat, startDelay: 3000, mode: 'once' } as const;
    expect(play({ rules: once, events: [at(0, writes('a')), at(2, types(true))] }).calls).toBe('');
  });

  test('is taken away with the end of its turn', () => {
    const delayed = { ...renewing, startDelay: 3000 };
    const { calls } = play({
      rules: delayed,
      events: [at(0, writes('a')), at(2, types(true)), at(9, fails('a'))],
    });
    expect(calls).toBe('9 hide');
  });

  test("while nobody waits it is the bot's alone, and none of ours to take away", () => {
    expect(line(at(0, types(true)), at(5, { is: 'resumed', by: 'session' })).calls).toBe('');
  });

  test('said twice is one', () => {
    const delayed = { ...renewing, startDelay: 3000 };
    const events = [at(0, writes('a')), at(2, types(true)), at(20, fails('a'))];
    const once = play({ rules: delayed, events });
    expect(play({ rules: delayed, events: [...events, at(2.1, types(true))] })).toEqual(once);
  });
});

describe('the bot switches its own indicator off', () => {
  test('nothing shows for who waits now, and no hide of ours is needed', () => {
    const { calls, ends } = line(at(0, writes('a')), at(9, types(false)), at(40, answers('a')));
    expect(calls).toBe('0 show');
    expect(ends).toBe('40 a: passive-reply');
  });

  test('and a show of ours began just before: it may have landed after that, and is taken back', () => {
    const { calls } = line(at(0, writes('a')), at(5, types(false)), at(40, answers('a')));
    expect(calls).toBe('0 show, 5 hide');
  });

  test('until it switches one on: that one is renewed', () => {
    const { calls } = line(at(0, writes('a')), at(9, types(false)), at(12, types(true)), at(30, fails('a')));
    expect(calls).toBe('0 show, 27.06 show, 30 hide');
  });

  test('the next message of the user shows', () => {
    const { calls } = line(at(0, writes('a')), at(9, types(false)), at(10, writes('b')), at(11, leaves));
    expect(calls).toBe('0 show, 10 show, 11 hide');
  });

  test('while ours is in flight: ours may land after it, and is taken back', () => {
    const { calls } = play({
      rules: renewing,
      events: [at(0, writes('a')), at(0.1, types(false)), at(9, fails('a'))],
      takes: 300,
    });
    expect(calls).toBe('0 show, 0.3 hide');
  });

  test('while ours is in flight and refused: there is nothing to take back', () => {
    const { calls } = play({
      rules: renewing,
      events: [at(0, writes('a')), at(0.1, types(false)), at(9, fails('a'))],
      answers: [{ is: 'failed', code: -1 }],
      takes: 300,
    });
    expect(calls).toBe('0 show (failed)');
  });

  test('and the news of it comes after a show that it did not reach: that one is taken back', () => {
    const { calls } = line(at(0, writes('a')), at(15, types(false), 15.2), at(20, fails('a')));
    expect(calls).toBe('0 show, 15.06 show, 15.2 hide');
  });

  test('before the user wrote: what is shown for that message is left', () => {
    const { calls } = line(at(0, types(false), 0.3), at(0.1, writes('a')), at(20, fails('a')));
    expect(calls).toBe('0.1 show, 15.16 show, 20 hide');
  });

  test('an acknowledgement after it brings nothing back', () => {
    expect(
      line(at(0, writes('a')), at(9, types(false)), at(10, acknowledges('a')), at(20, leaves)).calls,
    ).toBe('0 show');
  });
});

describe('where ours would show nothing', () => {
  test('by its mode: the indicator of the bot is left to it', () => {
    const { calls } = play({
      rules: { ...renewing, mode: 'off' },
      events: [at(0, writes('a')), at(5, types(true)), at(30, fails('a'))],
    });
    expect(calls).toBe('');
  });

  test('after the cap: the indicator of the bot is left to it', () => {
    const { calls } = play({
      rules: { ...renewing, cap: 10_000 },
      events: [at(0, writes('a')), at(12, types(true)), at(30, fails('a'))],
    });
    expect(calls).toBe('0 show, 10 hide');
  });
});
