import { describe, expect, test } from 'vitest';
import {
  acknowledges,
  at,
  fails,
  finishes,
  leaves,
  over,
  play,
  sends,
  start,
  starts,
  types,
  writes,
  type Scheduled,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;
const line = (...events: Scheduled[]) => play({ rules: wechat, events });

describe('typing that is asked for by hand', () => {
  test('opens a turn and is renewed until it is told to stop', () => {
    const { calls, ends } = line(at(0, starts('a')), at(20, finishes('a')));
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
    expect(ends).toBe('20 a: control');
  });

  test('said twice is one', () => {
    const { calls, ends, state } = line(
      at(0, starts('a', 'a')),
      at(3, starts('a', 'a')),
      at(20, finishes('a')),
    );
    expect({ calls, ends }).toEqual({ calls: '0 show, 15.06 show, 20 hide', ends: '20 a: control' });
    expect(state.lastInteractionAt).toBe(start);
  });

  test('of a turn that is open renews it although the bot has acknowledged', () => {
    const { calls } = line(
      at(0, writes('a')),
      at(1, acknowledges('a')),
      at(2, starts('a')),
      at(20, fails('a')),
    );
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
  });

  test('of a turn whose bot is still at work outlasts the acknowledgement', () => {
    const { calls } = line(
      at(0, writes('a')),
      at(1, starts('a')),
      at(2, acknowledges('a')),
      at(20, fails('a')),
    );
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
  });

  test('does not prolong the window or the cap of a turn that is open', () => {
    const { calls, ends } = line(at(0, writes('a')), at(20, starts('a', 'a')), at(100, fails('a')));
    expect(calls).toBe('0 show, 15.06 show');
    expect(ends).toBe('100 a: reply-failed');
  });

  test('of a turn that has ended opens it again', () => {
    const { calls, ends } = line(
      at(0, writes('a')),
      at(5, finishes('a')),
      at(6, starts('a')),
      at(20, finishes('a')),
    );
    expect(calls).toBe('0 show, 5 hide, 6 show, 20 hide');
    expect(ends).toBe('5 a: control, 20 a: control');
  });

  test('of a turn that has ended does not count as a message of the user', () => {
    const { calls, state } = line(
      at(0, writes('a')),
      at(5, finishes('a')),
      at(40, starts('a', 'a')),
      at(50, leaves),
    );
    expect(calls).toBe('0 show, 5 hide');
    expect(state.lastInteractionAt).toBe(start);
  });

  test('that its own stop has overtaken opens nothing', () => {
    const { calls, ends } = line(at(0, starts('a'), 0.5), at(0.2, finishes('a')));
    expect(calls).toBe('');
    expect(ends).toBe('0.2 a: control, 0.5 a: control');
  });

  test('that the stop of everything has overtaken opens nothing that lasts', () => {
    const { calls, ends } = line(at(0, starts('a'), 0.5), at(0.2, over('all')));
    expect(calls).toBe('');
    expect(ends).toBe('0.5 a: control');
  });

  test('ends with the next message to the user, as a bot does that has acknowledged', () => {
    expect(line(at(0, starts('a')), at(5, sends())).ends).toBe('5 a: gateway');
  });

  test('brings the indicator back that the bot had switched off', () => {
    const { calls } = line(at(0, writes('a')), at(9, types(false)), at(12, starts('a')), at(14, fails('a')));
    expect(calls).toBe('0 show, 12 show, 14 hide');
  });
});

describe('who names a message that no push has brought', () => {
  test('says that the user has written: the window is open, and no message counts against it', () => {
    const { calls, state } = line(
      at(0, writes('a')),
      at(1, sends()),
      at(5, fails('a')),
      at(100, starts('b', 'b')),
      at(103, finishes('b')),
    );
    expect(calls).toBe('0 show, 3 show, 5 hide, 100 show, 103 hide');
    expect(state).toMatchObject({ lastInteractionAt: start + 100_000, sends: 0, messageId: 'b' });
  });

  test('is asked by that name on WhatsApp', () => {
    const { made } = play({ rules: whatsapp, events: [at(0, starts('b', 'wamid.b')), at(3, finishes('b'))] });
    expect(made.map(({ messageId }) => messageId)).toEqual(['wamid.b']);
  });

  test('gets another try where the platform has refused the message before it', () => {
    const { calls } = play({
      rules: whatsapp,
      events: [at(0, writes('a')), at(5, starts('b', 'b')), at(9, leaves)],
      answers: [{ is: 'message-refused', code: 131009 }],
    });
    expect(calls).toBe('0 show (message-refused), 5 show');
  });

  test('an older start takes no newer message back', () => {
    const { state } = line(at(0, writes('a')), at(5, writes('c')), at(4, starts('b', 'b'), 6));
    expect(state.messageId).toBe('c');
  });

  test('the push of that message comes later: it opens no second turn', () => {
    const { calls, ends } = line(
      at(0, starts('a', 'a')),
      at(1, writes('a')),
      at(20, finishes('a')),
      at(21, writes('a')),
    );
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
    expect(ends).toBe('20 a: control');
  });
});

describe('who starts without a name', () => {
  test('where nothing is known is taken to speak of a message just written', () => {
    expect(line(at(0, starts('control-0')), at(3, finishes('control-0'))).calls).toBe('0 show, 3 hide');
  });

  test('where the window has closed shows nothing', () => {
    const { calls } = line(
      at(0, writes('a')),
      at(5, fails('a')),
      at(60, starts('control-9')),
      at(63, leaves),
    );
    expect(calls).toBe('0 show, 5 hide');
  });
});

test('a start that its own stop has overtaken still says that the user has written', () => {
  const { calls, state } = line(
    at(0, writes('z')),
    at(40, finishes('a')),
    at(39, starts('a', 'a'), 41),
    at(50, fails('z')),
  );
  expect(calls).toBe('0 show, 15.06 show, 41 show, 50 hide');
  expect(state.messageId).toBe('a');
});
