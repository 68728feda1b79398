import { describe, expect, test } from 'vitest';
import {
  acknowledges,
  answers,
  at,
  fails,
  keeps,
  leaves,
  over,
  play,
  seen,
  sends,
  writes,
  type Scheduled,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }] = tables;
const all = { ...wechat, afterAck: 'renew', sendEnds: 'all' } as const;
const oldest = { ...all, sendEnds: 'oldest' } as const;
const line = (...events: Scheduled[]) => play({ rules: oldest, events });

const asks = (turn: string, second: number, judged = second): Scheduled[] => [
  at(second, writes(turn), judged),
  at(second, acknowledges(turn), judged),
];

describe('several messages wait, and one message to the user comes', () => {
  const events = [...asks('a', 0), ...asks('b', 1), ...asks('c', 2), at(5, sends()), at(9, leaves)];

  test('all: it ends every acknowledged turn before it', () => {
    const { ends } = play({ rules: all, events });
    expect(ends).toBe('5 a: gateway, 5 b: gateway, 5 c: gateway');
  });

  test('oldest: it ends the first, and the others are shown again at once', () => {
    const { calls, ends } = play({ rules: oldest, events });
    expect(calls).toBe('0 show, 5 show, 9 hide');
    expect(ends).toBe('5 a: gateway, 9 b: left, 9 c: left');
  });
});

describe('sendEnds: oldest', () => {
  test('each message ends one turn, in the order in which the user wrote', () => {
    const { ends } = line(...asks('a', 0), ...asks('b', 1), at(5, sends()), at(6, sends()), at(9, leaves));
    expect(ends).toBe('5 a: gateway, 6 b: gateway');
  });

  test('the same message seen in two ways ends one', () => {
    const { ends } = line(
      ...asks('a', 0),
      ...asks('b', 1),
      at(5, sends('m')),
      at(6, seen(0, 'm')),
      at(9, leaves),
    );
    expect(ends).toBe('5 a: gateway, 9 b: left');
  });

  test('a turn that waits for nothing but its message comes before one whose bot is still at work', () => {
    const { ends } = line(
      at(0, writes('a')),
      ...asks('b', 1),
      at(5, sends()),
      at(9, acknowledges('a')),
      at(10, leaves),
    );
    expect(ends).toBe('5 b: gateway, 10 a: left');
  });

  test('where all bots are still at work, each message answers another turn', () => {
    const { ends } = line(
      at(0, writes('a')),
      at(1, writes('b')),
      at(5, sends()),
      at(6, acknowledges('b')),
      at(6.5, acknowledges('a')),
      at(7, sends()),
    );
    expect(ends).toBe('6.5 a: gateway, 7 b: gateway');
  });

  test('one that was written after the message is not its turn', () => {
    const { ends } = line(...asks('a', 3), at(2, sends(), 4), at(9, leaves));
    expect(ends).toBe('9 a: left');
  });

  test('a message that has ended its turn ends no other that is judged after it', () => {
    const { ends } = line(...asks('a', 0), ...asks('b', 1, 6), at(5, sends()), at(9, leaves));
    expect(ends).toBe('5 a: gateway, 9 b: left');
  });

  test('a message that found no turn ends the one that it has overtaken, and only that', () => {
    const { ends } = line(...asks('a', 0, 6), at(5, sends()), ...asks('b', 1, 7), at(9, leaves));
    expect(ends).toBe('6 a: gateway, 9 b: left');
  });

  test("the bot's queue without a turn ends one too; somebody by the control API ends all", () => {
    const { ends } = line(
      ...asks('a', 0),
      ...asks('b', 1),
      ...asks('c', 2),
      at(5, over('acknowledged', 'queue')),
      at(6, over('all')),
    );
    expect(ends).toBe('5 a: queue, 6 b: control, 6 c: control');
  });
});

describe('evidence that names its turn ends that one', () => {
  test('whichever is older, and the others go on', () => {
    const { calls, ends } = line(...asks('a', 0), at(1, writes('b')), at(5, answers('b')), at(9, fails('a')));
    expect(calls).toBe('0 show, 7 show, 9 hide');
    expect(ends).toBe('5 b: passive-reply, 9 a: reply-failed');
  });
});

describe('a bot that asks for typing until it has answered (X-Typing: keep)', () => {
  const keep = { ...wechat, afterAck: 'keep' } as const;

  test('is renewed where a bare acknowledgement is not', () => {
    const { calls } = play({ rules: keep, events: [at(0, writes('a')), at(1, keeps('a')), at(20, leaves)] });
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
  });

  test('once it has asked, a bare acknowledgement takes nothing back', () => {
    const events = [at(0, writes('a')), at(1, keeps('a')), at(2, acknowledges('a')), at(20, leaves)];
    expect(play({ rules: keep, events }).calls).toBe('0 show, 15.06 show, 20 hide');
  });

  test('may ask after it has acknowledged', () => {
    const events = [at(0, writes('a')), at(1, acknowledges('a')), at(2, keeps('a')), at(20, leaves)];
    expect(play({ rules: keep, events }).calls).toBe('0 show, 15.06 show, 20 hide');
  });

  test('its question overtakes the message', () => {
    const events = [at(0, writes('a'), 0.5), at(0.2, keeps('a')), at(20, leaves)];
    expect(play({ rules: keep, events }).calls).toBe('0.5 show, 15.56 show, 20 hide');
  });

  test('its question and an earlier message both overtake its own: that was not yet the answer', () => {
    const events = [at(0, writes('a'), 3), at(1, sends()), at(2, keeps('a')), at(10, sends())];
    expect(play({ rules: keep, events }).ends).toBe('10 a: gateway');
  });

  test('its question and a later message both overtake its own: that was the answer', () => {
    const events = [at(0, writes('a'), 3), at(1, keeps('a')), at(2, sends()), at(10, sends())];
    expect(play({ rules: keep, events }).ends).toBe('3 a: gateway');
  });

  test('its question is judged after the message that followed it: that was the answer', () => {
    const events = [at(0, writes('a')), at(4, sends()), at(3, keeps('a'), 5), at(10, sends())];
    expect(play({ rules: keep, events }).ends).toBe('5 a: gateway');
  });

  test('goes on though a message to the user went out while it was called: that was not yet the answer', () => {
    const { calls, ends } = play({
      rules: keep,
      events: [at(0, writes('a')), at(5, sends()), at(6, keeps('a')), at(10, sends())],
    });
    expect(calls).toBe('0 show, 7 show');
    expect(ends).toBe('10 a: gateway');
  });
});
