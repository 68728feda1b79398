import { describe, expect, test } from 'vitest';
import type { Pause } from '../../src/core/state.ts';
import {
  acknowledges,
  answers,
  at,
  echoes,
  fails,
  leaves,
  pauses,
  platformSecond,
  play,
  sends,
  start,
  starts,
  writes,
  type Happening,
  type Scheduled,
} from './scenario.ts';
import { tables, wechatLine, whatsappLine } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;
const resumesBy = (by: Pause): Happening => ({ is: 'resumed', by });
const resumes = resumesBy('control');

/** Whether a message that is written at that second starts typing. */
const typesAt = (second: number, ...events: Scheduled[]): boolean =>
  play({ rules: wechat, events: [...events, at(second, writes('probe'))] }).made.some(
    ({ at: made }) => made === start + second * 1000,
  );

const kinds: Pause[] = ['control', 'session', 'transfer', 'echo'];

describe.each(kinds)('a pause by %s', (by) => {
  test('ends who waits, in the dark, and starts nothing until it is over', () => {
    const { calls, ends } = wechatLine(
      at(0, writes('a')),
      at(5, pauses(by, 60)),
      at(20, writes('b')),
      at(60, writes('c')),
      at(61, fails('c')),
    );
    expect(calls).toBe('0 show, 5 hide, 60 show, 61 hide');
    expect(ends).toBe('5 a: handoff, 61 c: reply-failed');
  });

  test('is not overruled by whoever asks for typing', () => {
    const { calls, state } = wechatLine(at(0, pauses(by, 60)), at(5, starts('a')), at(9, starts('b', 'b')));
    expect(calls).toBe('');
    expect(state.turns).toEqual([]);
  });

  test('is over when it is resumed', () => {
    expect(typesAt(10, at(0, pauses(by, 60)), at(5, resumes))).toBe(true);
  });

  test('said twice is one', () => {
    const once = wechatLine(at(0, writes('a')), at(5, pauses(by, 60)));
    const twice = wechatLine(at(0, writes('a')), at(5, pauses(by, 60)), at(6, pauses(by, 60)));
    const { pauseChangedAt, countedAt } = twice.state;
    expect(twice).toEqual({ ...once, state: { ...once.state, pauseChangedAt, countedAt } });
  });

  test('the user still counts as having written', () => {
    const { state } = wechatLine(at(0, pauses(by, 60)), at(5, writes('a')));
    expect(state).toMatchObject({ lastInteractionAt: start + 5000, messageId: 'a', turns: [] });
  });

  test('a show that is in flight when it begins is taken back', () => {
    const { calls } = play({
      rules: wechat,
      events: [at(0, writes('a')), at(0.1, pauses(by, 60))],
      takes: 300,
    });
    expect(calls).toBe('0 show, 0.3 hide');
  });
});

describe('several pauses', () => {
  test.each([
    ['session', 'echo'],
    ['session', 'transfer'],
    ['echo', 'session'],
    ['control', 'echo'],
    ['control', 'session'],
  ] as const)('the longer one wins: %s until 100 s, then %s until 50 s', (first, second) => {
    const { state } = wechatLine(at(0, pauses(first, 100)), at(5, pauses(second, 50)));
    expect(state).toMatchObject({ pausedUntil: start + 100_000, pausedBy: first });
  });

  test.each([
    ['echo', 'session'],
    ['control', 'transfer'],
  ] as const)('the longer one wins: %s until 50 s, then %s until 100 s', (first, second) => {
    const { state } = wechatLine(at(0, pauses(first, 50)), at(5, pauses(second, 100)));
    expect(state).toMatchObject({ pausedUntil: start + 100_000, pausedBy: second });
  });

  test('whoever pauses by hand says how long, shorter too', () => {
    const { state } = wechatLine(at(0, pauses('session', 100)), at(5, pauses('control', 50)));
    expect(state).toMatchObject({ pausedUntil: start + 50_000, pausedBy: 'control' });
  });

  test('a shorter one ends who waits all the same', () => {
    const events = [at(0, pauses('control', 10)), at(20, writes('a')), at(21, pauses('control', 50))];
    expect(wechatLine(...events, at(22, pauses('echo', 30))).ends).toBe('21 a: handoff');
  });
});

describe('a human answers from the phone app', () => {
  const minutes = 60;

  test('the typing pauses for 10 minutes, and the turn ends as handed over', () => {
    const { calls, ends, state } = whatsappLine(
      at(0, writes('a')),
      at(0.1, acknowledges('a')),
      at(5, echoes(platformSecond(5))),
      at(9 * minutes, writes('b')),
      at(11 * minutes, writes('c')),
      at(11 * minutes + 1, leaves),
    );
    expect(calls).toBe('0 show, 660 show');
    expect(ends).toBe('5 a: echo, 661 c: left');
    expect(state.pausedBy).toBe('echo');
  });

  test('a bot that is still at work is not waited for', () => {
    const { ends } = whatsappLine(at(0, writes('a')), at(5, echoes()), at(20, acknowledges('a')));
    expect(ends).toBe('5 a: handoff');
  });

  test('news of it that comes later than the pause lasts pauses nothing', () => {
    const { calls } = whatsappLine(at(700, echoes(platformSecond(0))), at(701, writes('a')), at(702, leaves));
    expect(calls).toBe('701 show');
  });

  test('the pause counts from the answer, not from its news', () => {
    const { state } = whatsappLine(at(60, echoes(platformSecond(0))));
    expect(state.pausedUntil).toBe(start + 601_000);
  });

  test('where the rules name no pause, it is a message like another', () => {
    const { ends, state } = play({
      rules: { ...whatsapp, echoPause: 0 },
      events: [at(0, writes('a')), at(0.1, acknowledges('a')), at(5, echoes())],
    });
    expect(ends).toBe('5 a: echo');
    expect(state.pausedUntil).toBe(0);
  });
});

/** Whether the pause that began at 1 s, for 100 s, is over after these. */
const resumedBy = (pause: Pause, ...events: Scheduled[]): boolean =>
  typesAt(30, at(0, writes('a')), at(1, pauses(pause, 100)), ...events);

describe('the bot itself sends a message during a pause', () => {
  test.each([
    ['echo', true],
    ['transfer', true],
    ['session', false],
    ['control', false],
  ] as const)('in answer to what was written meanwhile: %s is over: %s', (pause, over) => {
    expect(resumedBy(pause, at(10, writes('b')), at(12, sends()))).toBe(over);
  });

  test.each([
    ['echo', true],
    ['transfer', true],
    ['session', false],
    ['control', false],
  ] as const)('as its webhook answer to what was written meanwhile: %s is over: %s', (pause, over) => {
    expect(resumedBy(pause, at(10, writes('b')), at(12, answers('b')))).toBe(over);
  });

  test.each(kinds)('nothing was written meanwhile: %s goes on', (pause) => {
    expect(resumedBy(pause, at(12, sends()))).toBe(false);
  });

  test.each(kinds)('only a click came meanwhile: %s goes on', (pause) => {
    expect(resumedBy(pause, at(10, writes('b', { opensTurn: false })), at(12, sends()))).toBe(false);
  });

  test('what was written during an earlier pause does not count', () => {
    const earlier = [at(2, writes('b')), at(3, resumes), at(4, writes('c')), at(5, pauses('transfer', 100))];
    expect(resumedBy('session', ...earlier, at(6, sends()))).toBe(false);
  });

  test.each(['echo', 'transfer'] as const)(
    'in late answer to what was written before: %s goes on, whatever was written since',
    (pause) => {
      expect(resumedBy(pause, at(10, writes('b')), at(12, answers('a')))).toBe(false);
    },
  );

  test.each(['echo', 'transfer'] as const)('that left before the user wrote: %s goes on', (pause) => {
    expect(resumedBy(pause, at(10, writes('b')), at(9, sends(), 12))).toBe(false);
  });

  test('and a session with a human, begun before that, is judged after it: the session holds', () => {
    const { state } = wechatLine(
      at(0, pauses('transfer', 100)),
      at(1, writes('a')),
      at(3, sends()),
      at(2, pauses('session', 200), 4),
    );
    expect(state).toMatchObject({ pausedBy: 'session', pausedUntil: start + 200_000 });
  });

  test('a human who answers once more has the conversation again', () => {
    const { state } = whatsappLine(at(0, echoes()), at(10, writes('a')), at(20, echoes()), at(21, sends()));
    expect(state.pausedBy).toBe('echo');
  });

  test('and so has one who does so in a longer pause', () => {
    const { state } = whatsappLine(
      at(0, pauses('transfer', 3000)),
      at(10, writes('a')),
      at(20, echoes()),
      at(21, sends()),
    );
    expect(state.pausedBy).toBe('transfer');
  });

  test('a message of somebody unseen (a status) resumes nothing: a human may have sent it', () => {
    const { state } = whatsappLine(
      at(0, echoes()),
      at(10, writes('a')),
      at(12, { is: 'message', by: 'status', sentAt: 0, id: null }),
    );
    expect(state.pausedBy).toBe('echo');
  });
});

describe('the user is to be forgotten', () => {
  const forgets: Happening = { is: 'forgotten' };

  test('what is lit is taken away, and nothing is known any more', () => {
    const { calls, state } = wechatLine(at(0, writes('a')), at(5, forgets));
    expect(calls).toBe('0 show, 5 hide');
    expect(state).toMatchObject({
      turns: [],
      ended: [],
      early: [],
      heard: [],
      lastInteractionAt: null,
      messageId: null,
      indicator: { is: 'dark' },
      timer: null,
      call: null,
      forgotten: true,
    });
  });

  test('a show in flight is still taken back', () => {
    const { calls, state } = play({
      rules: wechat,
      events: [at(0, writes('a')), at(0.1, forgets)],
      takes: 300,
    });
    expect(calls).toBe('0 show, 0.3 hide');
    expect(state.indicator).toEqual({ is: 'dark' });
  });

  test('a pause is forgotten too', () => {
    expect(typesAt(10, at(0, pauses('session', 60)), at(5, forgets))).toBe(true);
  });

  test('who writes again is known again', () => {
    const { calls, state } = wechatLine(
      at(0, writes('a')),
      at(5, forgets),
      at(8, writes('b')),
      at(9, fails('b')),
    );
    expect(calls).toBe('0 show, 5 hide, 8 show, 9 hide');
    expect(state.forgotten).toBe(false);
  });

  test.each([
    ['a pause', pauses('control', 60)],
    ['a start', starts('b')],
  ] as const)('%s that comes after it is to be remembered', (_, happening) => {
    const { state } = wechatLine(at(0, writes('a')), at(5, forgets), at(6, happening));
    expect(state.forgotten).toBe(false);
  });
});

describe('the user leaves', () => {
  test('who has come back and written before that is known is not gone', () => {
    const { calls, ends, state } = wechatLine(at(5, writes('a')), at(3, leaves, 6), at(9, fails('a')));
    expect(calls).toBe('5 show, 9 hide');
    expect(ends).toBe('9 a: reply-failed');
    expect(state.messageId).toBe('a');
  });
});

describe('who may end a pause', () => {
  test('a person ends any, and nobody else a person’s', () => {
    expect(typesAt(10, at(0, pauses('session', 60)), at(5, resumesBy('control')))).toBe(true);
    expect(typesAt(10, at(0, pauses('control', 60)), at(5, resumesBy('session')))).toBe(false);
    expect(typesAt(10, at(0, pauses('control', 60)), at(5, resumesBy('transfer')))).toBe(false);
  });

  test('the newer word counts, in whatever order they are judged', () => {
    expect(typesAt(10, at(5, pauses('control', 60)), at(4, resumesBy('control'), 6))).toBe(false);
    expect(typesAt(10, at(5, resumesBy('control')), at(4, pauses('control', 60), 6))).toBe(true);
  });

  test('whoever writes in a pause that is judged late is left to the human', () => {
    const { calls, ends } = wechatLine(
      at(0, pauses('session', 60), 6),
      at(5, writes('a')),
      at(9, fails('a')),
    );
    expect(calls).toBe('5 show, 6 hide');
    expect(ends).toBe('6 a: handoff');
  });

  test('whoever writes after a pause that is judged late is not left to the human', () => {
    const { ends } = wechatLine(at(0, pauses('session', 2), 6), at(5, writes('a')), at(9, fails('a')));
    expect(ends).toBe('9 a: reply-failed');
  });
});

test('a human’s answer pauses although its status came first', () => {
  const seconds = platformSecond(5);
  const heard = { is: 'message', sentAt: seconds, id: 'out' } as const;
  const { calls } = whatsappLine(
    at(0, writes('a', { sentAt: platformSecond(0) })),
    at(5, { ...heard, by: 'status' }),
    at(6, { ...heard, by: 'echo' }),
    at(20, writes('b')),
  );
  expect(calls).toBe('0 show');
});
