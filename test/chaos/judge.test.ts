import { describe, expect, test } from 'vitest';
import type { Mark, What } from '../../src/simulator/index.ts';
import { judge } from './judge.ts';
import type { Strike } from './plan.ts';
import { answerTo, type Asked, type Exit, type PlatformCall, type Pushed, type Record } from './record.ts';

const startedAt = 1_700_000_000_000;
const at = (ms: number): number => startedAt + ms;

/** One turn of a WeChat user, in which nothing went wrong: asked at 0, typing from 20 ms, answered after two seconds. */
const user = 'oUser_00';
const text = `${user}-1`;
const pushed: Pushed = { channel: 'wechat', user, text, style: 'answers', at: at(0), statuses: [200] };
const asked: Asked = { text, at: at(10), endedAt: at(2_000), hungUp: false, broken: null, attempt: '1' };

function mark(ms: number, what: What, detail = ''): Mark {
  return { channel: 'wechat', user, at: at(ms), what, detail };
}

function call(ms: number, changes: Partial<PlatformCall> = {}): PlatformCall {
  const subject = { channel: 'wechat', user, command: 'Typing', text: null } as const;
  return { ...subject, at: at(ms), endedAt: at(ms + 5), code: 0, fault: null, ...changes };
}

const sent = mark(0, 'sent', text);
const on = mark(20, 'typing-on', 'Typing');
const off = mark(2_010, 'typing-off', 'message');
const received: Mark = { ...mark(2_010, 'received', answerTo(text)), via: 'passive' };
const marks = [sent, on, off, received];

function recorded(changes: Partial<Record> = {}): Record {
  return {
    startedAt,
    calm: true,
    lifetimes: { wechat: 3_000, nxcloud: 5_000 },
    cap: 18_000,
    pushes: [pushed],
    asked: [asked],
    sent: [],
    marks,
    calls: [call(20)],
    struck: [],
    exits: [],
    left: { jobs: [], failed: [], keys: [] },
    stoodStill: 0,
    ...changes,
  };
}

/** The record as it is with this that went wrong. */
function struck(strike: Strike, from: number, to: number): Pick<Record, 'struck' | 'calm'> {
  return { calm: false, struck: [{ strike, from: at(from), to: at(to) }] };
}

function promisesOf(record: Record): { broken: string[]; explained: string[] } {
  const { broken, explained } = judge(record);
  return {
    broken: broken.map(({ promised }) => promised),
    explained: explained.map(({ promised }) => promised),
  };
}

const kept = { broken: [], explained: [] };
const breaks = (promised: string) => ({ broken: [promised], explained: [] });
const explains = (promised: string) => ({ broken: [], explained: [promised] });

test('a turn in which nothing went wrong keeps every promise', () => {
  expect(promisesOf(recorded())).toEqual(kept);
});

describe('typing that goes out by itself while the user waits', () => {
  const out = mark(3_020, 'typing-off', 'expired');
  const late: Asked = { ...asked, endedAt: at(6_000) };
  const answer = { ...received, at: at(6_010) };

  test('is to be renewed', () => {
    const record = recorded({ asked: [late], marks: [sent, on, out, answer] });
    expect(promisesOf(record)).toEqual(breaks('whoever waits sees typing'));
  });

  test('may be dark for a moment', () => {
    const again = [mark(3_320, 'typing-on', 'Typing'), mark(6_010, 'typing-off', 'message')];
    const record = recorded({ asked: [late], marks: [sent, on, out, ...again, answer] });
    expect(promisesOf(record)).toEqual(kept);
  });
});

describe('no message is lost', () => {
  const promised = 'no message is lost';

  test.each([[[200]], [[null, 502, null]]])('a push that heard %j and never reached the bot', (statuses) => {
    const record = recorded({ asked: [], pushes: [{ ...pushed, statuses }], marks: [sent] });
    expect(promisesOf({ ...record, calm: false })).toEqual(breaks(promised));
  });
});

describe('no answer comes twice', () => {
  test('whatever went wrong', () => {
    const again: Mark = { ...received, at: at(2_500), via: 'api' };
    const record = recorded({
      marks: [...marks, again],
      ...struck({ kind: 'kill', target: 'web-1', downMs: 0 }, 2_005, 3_000),
    });
    expect(promisesOf(record)).toEqual(breaks('no answer comes twice'));
  });
});

describe('no answer is missing', () => {
  const promised = 'no answer is missing';
  const silent = { marks: [sent, on], calm: false };

  test('the bot answered and the phone has nothing', () => {
    expect(promisesOf(recorded(silent))).toEqual(breaks(promised));
  });

  test.each([
    ['the bot fails when it is asked again', 'hang', explains(promised)],
    ['the bot answers again', null, breaks(promised)],
  ])('its web was killed before the bot has answered, and %s', (_, failure, verdict) => {
    const again: Asked = { ...asked, at: at(17_000), endedAt: at(19_000), broken: failure, attempt: '2' };
    const strike: Strike = { kind: 'kill', target: 'web-1', downMs: 0 };
    const record = recorded({ ...silent, ...struck(strike, 1_970, 3_000), asked: [asked, again] });
    expect(promisesOf(record)).toEqual(verdict);
  });

  test('a fault elsewhere explains nothing', () => {
    const strike: Strike = { kind: 'redis-hole', whom: 'all', ms: 5_000, healed: 'cut' };
    expect(promisesOf(recorded({ ...silent, ...struck(strike, 500, 5_500) }))).toEqual(breaks(promised));
  });

  test('each call of the bot was hung up', () => {
    expect(promisesOf(recorded({ ...silent, asked: [{ ...asked, hungUp: true }] }))).toEqual(
      breaks(promised),
    );
  });

  test('explained by a bot that failed each time, not by one that was heard out once', () => {
    const failed = { ...asked, broken: '503' };
    expect(promisesOf(recorded({ ...silent, asked: [failed] }))).toEqual(explains(promised));
    expect(promisesOf(recorded({ ...silent, asked: [failed, asked] }))).toEqual(breaks(promised));
  });

  test('explained by a platform that failed the very send, not by one that failed another', () => {
    const send = { command: 'send', code: null, fault: '{"hang":true}' };
    const failed = call(2_050, { ...send, text: answerTo(text) });
    const other = call(2_050, { ...send, text: answerTo('another') });
    expect(promisesOf(recorded({ ...silent, calls: [failed] }))).toEqual(explains(promised));
    expect(promisesOf(recorded({ ...silent, calls: [other] }))).toEqual(breaks(promised));
  });

  test('explained by a kill between answer and send, not by one a second later', () => {
    const kill: Strike = { kind: 'kill', target: 'worker-1', downMs: 0 };
    expect(promisesOf(recorded({ ...silent, ...struck(kill, 2_100, 3_000) }))).toEqual(explains(promised));
    expect(promisesOf(recorded({ ...silent, ...struck(kill, 3_000, 4_000) }))).toEqual(breaks(promised));
  });

  test("a bot's own send that the gateway lost, explained by its web's kill alone", () => {
    const own = { user, text: answerTo(text), at: at(2_000), endedAt: at(2_100), code: null };
    const record = recorded({ ...silent, pushes: [{ ...pushed, style: 'sends' }], sent: [own] });
    const kill: Strike = { kind: 'kill', target: 'web-2', downMs: 0 };
    expect(promisesOf(record)).toEqual(breaks(promised));
    expect(promisesOf({ ...record, ...struck(kill, 2_050, 3_000) })).toEqual(explains(promised));
    expect(promisesOf({ ...record, ...struck({ kind: 'term', target: 'web-2' }, 2_050, 3_000) })).toEqual(
      breaks(promised),
    );
  });
});

describe('no typing begins after the answer', () => {
  const promised = 'no typing begins after the answer';
  const late = [...marks, mark(2_100, 'typing-on', 'Typing')];
  const undone = [...late, mark(2_400, 'typing-off', 'cancelled')];
  const pause: Strike = { kind: 'pause', target: 'worker-1', ms: 1_000 };

  test('even when it is taken back, where nothing went wrong', () => {
    expect(promisesOf(recorded({ marks: late }))).toEqual(breaks(promised));
    expect(promisesOf(recorded({ marks: undone }))).toEqual(breaks(promised));
  });

  test('explained where it crossed an answer on the other connection, and is taken back', () => {
    const crossed = [...marks, mark(2_030, 'typing-on', 'Typing')];
    const back = [...crossed, mark(2_400, 'typing-off', 'cancelled')];
    const byApi = back.map((each): Mark => (each.via === undefined ? each : { ...each, via: 'api' }));
    expect(promisesOf(recorded({ marks: back }))).toEqual(explains(promised));
    expect(promisesOf(recorded({ marks: crossed }))).toEqual(breaks(promised));
    expect(promisesOf(recorded({ marks: byApi }))).toEqual(breaks(promised));
  });

  test('in flight at a fault: explained where it is taken back soon', () => {
    const fault = struck(pause, 1_500, 2_050);
    expect(promisesOf(recorded({ ...fault, marks: undone }))).toEqual(explains(promised));
    expect(promisesOf(recorded({ ...fault, marks: late }))).toEqual(breaks(promised));
  });

  test('WhatsApp has no way to take it back', () => {
    const channel = 'nxcloud';
    const onWhatsapp = late.map((each) => ({ ...each, channel: channel as 'nxcloud' }));
    const record = recorded({ marks: onWhatsapp, pushes: [{ ...pushed, channel }] });
    expect(promisesOf({ ...record, ...struck(pause, 1_500, 2_050) })).toEqual(explains(promised));
  });

  test('a fault that was over before the turn ended explains nothing', () => {
    const fault = struck(pause, 100, 1_100);
    expect(promisesOf(recorded({ ...fault, marks: undone }))).toEqual(breaks(promised));
  });

  test('a fault that struck long after the end explains nothing: the show was not under way', () => {
    const after = [...marks, mark(4_000, 'typing-on', 'Typing'), mark(4_100, 'typing-off', 'cancelled')];
    const fault = struck(pause, 3_500, 4_050);
    expect(promisesOf(recorded({ ...fault, marks: after }))).toEqual(breaks(promised));
  });

  test('while another message waits it may begin', () => {
    const second = { ...pushed, text: `${user}-2`, at: at(1_000) };
    const all = [
      sent,
      on,
      mark(1_000, 'sent', second.text),
      ...late.slice(2),
      mark(4_000, 'received', answerTo(second.text)),
    ];
    const record = recorded({
      marks: [...all.slice(0, -1), mark(4_000, 'typing-off', 'message'), ...all.slice(-1)],
      pushes: [pushed, second],
      asked: [asked, { ...asked, text: second.text, endedAt: at(3_990) }],
    });
    expect(promisesOf(record)).toEqual(kept);
  });
});

describe('no indicator outlives its turn', () => {
  test('by more than a lifetime, where the turn ended without a message', () => {
    const failed = { ...asked, broken: 'reset', endedAt: at(500) };
    const renewed = [sent, on, mark(1_480, 'typing-on', 'Typing')];
    const twice = [...renewed, mark(4_000, 'typing-on', 'Typing')];
    const record = recorded({ calm: false, asked: [failed] });
    expect(promisesOf({ ...record, marks: renewed })).toEqual(explains('no answer is missing'));
    expect(promisesOf({ ...record, marks: twice }).broken).toContain('no indicator outlives its turn');
  });
});

describe('no call is refused', () => {
  const promised = 'no call is refused';
  const kill: Strike = { kind: 'kill', target: 'worker-1', downMs: 0 };

  test('"already typing" is explained by a fault that left a show unknown, soon before', () => {
    const record = recorded({ calls: [call(1_500, { code: 45081 })] });
    expect(promisesOf(record)).toEqual(breaks(promised));
    expect(promisesOf({ ...record, ...struck(kill, 500, 1_000) })).toEqual(explains(promised));
  });

  test('any other is explained by nothing but the fault itself', () => {
    const record = recorded({ calls: [call(1_500, { code: 45080 })], ...struck(kill, 500, 1_000) });
    expect(promisesOf(record)).toEqual(breaks(promised));
    const made = recorded({ calls: [call(1_500, { code: 45080, fault: '{"code":45080}' })] });
    expect(promisesOf(made)).toEqual(explains(promised));
  });
});

describe('one typing call at a time', () => {
  test.each([[at(30)], [null]])('a second one comes before the first has ended (%s)', (endedAt) => {
    const calls = [call(20, { endedAt }), call(25, { command: 'CancelTyping' })];
    expect(promisesOf(recorded({ calls }))).toEqual(breaks('one typing call at a time'));
  });

  test('those of two users may overlap', () => {
    const calls = [call(20, { endedAt: at(30) }), call(25, { user: 'oUser_01' })];
    expect(promisesOf(recorded({ calls }))).toEqual(kept);
  });
});

test('whoever waits sees typing, in the calm run', () => {
  const dark = [sent, { ...received, at: at(3_000) }];
  expect(promisesOf(recorded({ marks: dark }))).toEqual(breaks('whoever waits sees typing'));
  expect(promisesOf(recorded({ marks: dark, calm: false }))).toEqual(kept);
});

const ends: [Partial<Exit>, number][] = [
  [{ ordered: null, code: 1 }, 1],
  [{ ordered: 'SIGTERM', code: 1 }, 1],
  [{ ordered: 'SIGTERM', code: 0, tookMs: 25_500 }, 1],
  [{ ordered: 'SIGTERM', code: null }, 1],
  [{ ordered: 'SIGTERM', code: 0 }, 0],
  [{ ordered: 'SIGKILL', code: 'SIGKILL' }, 0],
];

test.each(ends)('a process ends when and as it is told: %j', (changes, count) => {
  const exit: Exit = { process: 'web-1', at: at(9_000), ordered: null, code: 0, tookMs: 100, ...changes };
  expect(judge(recorded({ exits: [exit] })).broken).toHaveLength(count);
});

test('Redis is left clean: no job, and no key that was not meant to stay', () => {
  const keys = ['{keeptyping}:typing:meta', '{keeptyping}:accounts', '{keeptyping}:replies:7'];
  const record = recorded({ left: { jobs: [], failed: ['{keeptyping}:replies:7'], keys } });
  expect(promisesOf(record)).toEqual(kept);
  const { broken } = judge({ ...record, left: { jobs: ['typing: {}'], failed: [], keys } });
  expect(broken.map(({ who }) => who)).toEqual(['jobs', '{keeptyping}:replies:7']);
});
