/** The page's files: light, without anything inline, and with words for everything that the server can say. */
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { AccountRow, JournalEntry, Overview, QueueRow } from '../../src/console/wire.ts';
import type { Notice } from '../../src/core/notice.ts';
import type { View } from '../../src/core/view.ts';
import { all, evidences, kinds, outcomes, pauses, reasons, ways } from '../support/members.ts';
import { accountRow } from './page-world.ts';

const folder = new URL('../../src/console/page/', import.meta.url);
const names = readdirSync(folder);
const sources = new Map(names.map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));

async function load<T>(name: string): Promise<T> {
  // oxlint-disable-next-line no-unsafe-type-assertion -- scripts of the page have no types
  return (await import(new URL(name, folder).href)) as T;
}

describe('the files', () => {
  test('weigh at most 60 kB, all told', () => {
    const weight = [...sources.values()].map((source) => gzipSync(source, { level: 9 }).length);
    expect(weight.reduce((sum, one) => sum + one, 0)).toBeLessThan(60_000);
  });

  test('hold nothing inline, nothing from elsewhere, and put nothing in as HTML', () => {
    const page = sources.get('index.html') ?? '';
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/);
    expect(page.match(/<script/g)).toHaveLength(1);
    const asked = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, one]) => one);
    expect(asked.filter((one) => !/^(\/console\/|#|data:,$)/.test(one ?? ''))).toEqual([]);
    for (const source of sources.values())
      expect(source).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/,
      );
  });

  test('are all of the kinds that are served', () => {
    expect(names.filter((name) => !/^[a-z]+\.(html|css|js)$/.test(name))).toEqual([]);
  });
});

const groups: Record<string, string[]> = {
  reason: [...reasons, 'redis_down'],
  outcome: outcomes,
  evidence: evidences,
  delivery: ways,
  by: pauses,
  kind: kinds,
  redis: all<Overview['redis']>({
    ok: true,
    full: true,
    unwritable: true,
    readonly: true,
    refusing: true,
    away: true,
  }),
  workers: all<Overview['workers']>({ alive: true, standby: true, none: true }),
  breaker: all<AccountRow['breaker']>({ closed: true, open: true, 'half-open': true }),
  bot: all<AccountRow['bot']>({ job: true, pass: true, none: true }),
  indicator: all<View['indicator']['is']>({ dark: true, lit: true, maybe: true }),
  queue: all<QueueRow['name'] | Extract<Notice, { is: 'lag' }>['queue']>({
    typing: true,
    replies: true,
    wake: true,
  }),
};

describe('the words', async () => {
  const { english } = await load<{ english: Record<string, string> }>('english.js');
  const { chinese } = await load<{ chinese: Record<string, string> }>('chinese.js');

  test('are the same in both languages, with the same gaps to fill in', () => {
    expect(Object.keys(chinese)).toEqual(Object.keys(english));
    for (const key of Object.keys(english))
      expect([key, gaps(chinese[key])]).toEqual([key, gaps(english[key])]);
  });

  test.each(Object.entries(groups))('name every %s', (group, members) => {
    const missing = members.filter((name) => !english[`${group}.${name}`]);
    expect(missing).toEqual([]);
  });

  test('are all there, and all used', () => {
    const scripts = [...sources].filter(([name]) => !/^(english|chinese)\.js$/.test(name));
    const text = scripts.map(([, source]) => source).join('\n');
    const asked = [
      ...text.matchAll(
        /\bword\(\s*'([^']+)'|saying\([^,]+,\s*'([^']+)'|head: '([^']+)'|data-word[a-z-]*="([^"]+)"/g,
      ),
    ].map((match) => match.slice(1).find((one) => one !== undefined) ?? '');
    expect(asked.filter((key) => english[key] === undefined)).toEqual([]);
    const unused = Object.keys(english).filter(
      (key) => !key.includes('.') && !new RegExp(`['"\`]${key}['"\`]`).test(text),
    );
    expect(unused.filter((key) => !['pause', 'resume', 'pauseOf', 'resumeOf'].includes(key))).toEqual([]);
  });

  test('never claim that a phone showed it', () => {
    const claims = Object.entries(english).filter(
      ([key, said]) => /^(kind|notice|outcome|lit|legend)/.test(key) && /\bshow/i.test(said),
    );
    expect(claims).toEqual([]);
  });
});

/** What is filled in. */
function gaps(said = ''): string[] {
  return (said.match(/\{\w+\}/g) ?? []).toSorted();
}

test('what needs attention names how Redis stands, and says what is not of now', async () => {
  type Troubles = (overview: object) => { id: string; says: () => string }[];
  const { troublesOf } = await load<{ troublesOf: Troubles }>('troubles.js');
  const { learn } = await load<{ learn: (language: string) => Promise<void> }>('words.js');
  await learn('en');
  const well = { redis: 'ok', live: true, workers: 'alive', accounts: [], skipped: [], queues: [] };
  const said = (changes: object) => troublesOf({ ...well, ...changes }).map(({ says }) => says());
  expect(said({})).toEqual([]);
  expect(said({ redis: 'full' })).toEqual([expect.stringContaining('Redis is full')]);
  // Nobody knows of workers then.
  const away = said({ redis: 'away', live: false, workers: 'none' });
  expect(away).toEqual([
    expect.stringContaining('Redis is away'),
    expect.stringContaining('what was last read'),
  ]);
});

type Saying = (notice: Notice, isRepeat?: boolean) => string;

describe('a sentence for every notice', async () => {
  const { sayNotice } = await load<{ sayNotice: Saying }>('say.js');
  const { learn } = await load<{ learn: (language: string) => Promise<void> }>('words.js');
  await learn('en');
  const user = { channel: 'wechat', account: 'shop', user: 'u' } as const;
  const at = 0;
  const turn = 't';

  test.each<[string, Notice]>([
    ['Webhook request refused (401).', { is: 'push', at, result: 'refused', status: 401, ...user }],
    [
      'Arrived: event.CLICK, which starts nothing.',
      { is: 'inbound', at, turn, messageId: null, type: 'event.CLICK', opensTurn: false, ...user },
    ],
    ['No typing: A human has the conversation.', { is: 'skipped', at, turn, reason: 'paused', ...user }],
    [
      'Typing call: refused for the account until somebody mends it (code 40164) · 61 ms — Add the address.',
      {
        is: 'call',
        at,
        kind: 'show',
        outcome: 'account-off',
        code: 40164,
        remedy: 'Add the address.',
        ms: 61,
        ...user,
      },
    ],
    [
      'Call that takes typing away: accepted · 1.2 s',
      { is: 'call', at, kind: 'hide', outcome: 'done', code: 0, remedy: null, ms: 1_200, ...user },
    ],
    ['Typing may have outlived the last answer by up to 3.4 s.', { is: 'ghost', at, ms: 3_400, ...user }],
    [
      'A message to the user was seen: a human answered from the phone.',
      { is: 'outbound', isMore: false, at, by: 'echo', messageId: null, ...user },
    ],
    [
      'A human took the conversation, by the control API.',
      { is: 'handoff', at, on: true, by: 'control', ...user },
    ],
    [
      'The bot has the conversation back, by a session with a human.',
      { is: 'handoff', at, on: false, by: 'session', ...user },
    ],
    [
      'The platform refused the answer. (code 45047) Kept as failed job 17.',
      { is: 'delivery', at, turn, way: 'refused', code: 45047, job: '17', ...user },
    ],
    [
      'The bot was called and failed (no answer) after 2.0 s; it is called again.',
      { is: 'bot', at, turn, status: 0, result: 'again', ms: 2_000, overheadMs: null, ...user },
    ],
    [
      'The bot was called and failed (status 500, http://bot.example/) after 2.0 s; no try is left.',
      {
        is: 'bot',
        at,
        turn,
        status: 500,
        result: 'failed',
        ms: 2_000,
        overheadMs: null,
        why: 'status 500, http://bot.example/',
        ...user,
      },
    ],
    [
      'Pushes were not taken: 3. Set the Token.',
      { is: 'refused', at, count: 3, reason: 'Set the Token.', channel: 'wechat', account: 'shop' },
    ],
    [
      'A call of the bot passed the gateway (+2 ms).',
      { is: 'gateway', at, overheadMs: 1.6, waitedForShow: false, channel: 'wechat', account: 'shop' },
    ],
    ['A job of the queue “wake-ups” began 150 ms late.', { is: 'lag', at, queue: 'wake', ms: 150 }],
    [
      'The breaker lets one call try the platform.',
      { is: 'breaker', at, state: 'half-open', channel: 'wechat', account: 'shop' },
    ],
    [
      'The platform refused an access token. (code 40125)',
      { is: 'token', at, result: 'refused', code: 40125, channel: 'wechat', account: 'shop' },
    ],
    [
      'Typing of the account was switched off. (code 48001) — Certify it.',
      {
        is: 'account',
        at,
        typing: 'off',
        code: 48001,
        remedy: 'Certify it.',
        channel: 'wechat',
        account: 'shop',
      },
    ],
    [
      'The wait ended: a human took over.',
      { is: 'ended', at, turn, by: 'handoff', waitMs: 1, litMs: 0, firstMs: null, untyped: null, ...user },
    ],
  ])('%s', (said, notice) => {
    expect(sayNotice(notice)).toBe(said);
  });
});

interface Group {
  turn: string | null;
  begun: number;
  entries: JournalEntry[];
}

describe('waits out of events', async () => {
  const { turnsOf } = await load<{ turnsOf: (entries: JournalEntry[]) => Group[] }>('turns.js');
  const shop = { channel: 'wechat', account: 'shop' } as const;
  const message = (turn: string, at: number, user = 'u') =>
    ({ is: 'inbound', at, turn, messageId: null, type: 'text', opensTurn: true, user, ...shop }) as const;
  const call = (at: number, user = 'u') =>
    ({ is: 'call', at, kind: 'show', outcome: 'done', code: 0, remedy: null, ms: 1, user, ...shop }) as const;
  const ended = (turn: string, at: number, waitMs: number) =>
    ({
      is: 'ended',
      at,
      turn,
      by: 'status',
      waitMs,
      litMs: 0,
      firstMs: null,
      untyped: null,
      user: 'u',
      ...shop,
    }) as const;

  /** Each wait as its turn and the times of its events. */
  function grouped(...notices: Notice[]): [string | null, number[]][] {
    const entries = notices.map((notice, index) => ({ id: String(index), notice })).toReversed();
    return turnsOf(entries).map((group) => [group.turn, group.entries.map(({ notice }) => notice.at)]);
  }

  test('a call is put to the wait that was open, the newest wait first', () => {
    const told = grouped(message('a', 1), call(2), ended('a', 3, 2), message('b', 100_000), call(100_001));
    expect(told).toEqual([
      ['b', [100_000, 100_001]],
      ['a', [1, 2, 3]],
    ]);
  });

  test('what several processes wrote out of order is put in order', () => {
    expect(grouped(message('a', 1), ended('a', 3, 2), call(2))).toEqual([['a', [1, 2, 3]]]);
  });

  test('a call for two that wait stands in both', () => {
    expect(grouped(message('a', 1), message('b', 2), call(3))).toEqual([
      ['b', [2, 3]],
      ['a', [1, 3]],
    ]);
  });

  test('a wait whose beginning is on an older page holds what is known of it', () => {
    expect(grouped(call(50), ended('a', 90, 80))).toEqual([['a', [50, 90]]]);
  });

  test('what comes right after belongs to the wait; what comes later does not, nor another user’s', () => {
    expect(grouped(message('a', 1), ended('a', 3, 2), call(500), call(600, 'other'), call(90_000))).toEqual([
      [null, [600, 90_000]],
      ['a', [1, 3, 500]],
    ]);
  });
});

test('a repeat of a push reads as one', async () => {
  const { sayNotice } = await load<{ sayNotice: Saying }>('say.js');
  const { learn } = await load<{ learn: (language: string) => Promise<void> }>('words.js');
  await learn('en');
  const shop = { channel: 'wechat', account: 'shop', user: 'u' } as const;
  const push: Notice = {
    is: 'inbound',
    at: 0,
    turn: 't',
    messageId: 'm',
    type: 'text',
    opensTurn: true,
    ...shop,
  };
  expect(sayNotice(push)).toBe('The message arrived (text).');
  expect(sayNotice(push, true)).toBe('The platform delivered the message again (text).');
});

describe('what needs attention', async () => {
  const { troublesOf } = await load<{
    troublesOf: (overview: object) => { id: string; grave: boolean; says: () => string }[];
  }>('troubles.js');
  const { learn } = await load<{ learn: (language: string) => Promise<void> }>('words.js');
  await learn('en');
  const shop = { channel: 'wechat', account: 'shop' } as const;
  const said = (rest: Partial<AccountRow>) =>
    troublesOf({
      redis: 'ok',
      live: true,
      workers: 'alive',
      skipped: [],
      queues: [],
      accounts: [accountRow(shop, rest)],
    }).map(({ grave, says }) => `${grave ? 'grave' : 'slight'}: ${says()}`);

  test('a bot that is down, with why and where; less where it answers too', () => {
    const botFailed = [{ why: 'connection refused (ECONNREFUSED), http://bot.example/', count: 3 }];
    const line = /: calls of the bot that failed in the last hour: 3\. connection refused .*bot\.example/;
    expect(said({ botFailed })).toEqual([expect.stringMatching(line)]);
    expect(said({ botFailed })[0]).toMatch(/^grave/);
    expect(said({ botFailed, botAnswered: 1 })[0]).toMatch(/^slight/);
  });

  test('a bot whose answers are never seen, with the ways to mend it', () => {
    const ends = [{ by: 'deadline', count: 4 }];
    expect(said({ ends })).toEqual([
      expect.stringMatching(/nothing tells when .*\(4 waits .*gateway.*BOT_QUEUE/),
    ]);
    expect(said({ ends: [...ends, { by: 'gateway', count: 1 }] })).toEqual([]);
  });

  test('pushes that were not taken, gravely where nothing else came', () => {
    const refused = [{ reason: 'Set the Token.', count: 6 }];
    expect(said({ refused })).toEqual([
      'grave: wechat/shop: pushes that were not taken in the last hour: 6. Set the Token.',
    ]);
    expect(said({ refused, turns: 1 })[0]).toMatch(/^slight/);
  });

  test('a bot that looks like another kind, once', () => {
    const look = 'The bot only acknowledges.';
    expect(said({ look, ends: [{ by: 'deadline', count: 4 }] })).toEqual([
      'slight: wechat/shop: The bot only acknowledges.',
    ]);
  });

  test('typing that was refused, and is tried with the next message', () => {
    const typing = { is: 'trying', code: 40164, remedy: 'Add the address.' } as const;
    expect(said({ typing })).toEqual([expect.stringMatching(/^slight: .*code 40164.* Add the address\.$/)]);
  });
});
