import { describe, expect, test } from 'vitest';
import {
  addressOf,
  botRequest,
  type BotRetry,
  type BotVerdict,
  causeOf,
  createInterimTexts,
  endToEnd,
  judgeBot,
  withQuery,
} from '../../src/core/bot.ts';
import { type Answer, type HeaderLines, headerOf, NoAnswer } from '../../src/core/wire.ts';

describe('endToEnd', () => {
  test('keeps the lines as they came: order, case and repeats', () => {
    const lines: HeaderLines = [
      ['X-B', '1'],
      ['x-a', '2'],
      ['Cookie', 'one'],
      ['Cookie', 'two'],
    ];
    expect(endToEnd(lines)).toEqual(lines);
  });

  test.each([
    'Connection',
    'keep-alive',
    'Proxy-Authenticate',
    'PROXY-AUTHORIZATION',
    'proxy-connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Host',
    'Content-Length',
    'Expect',
  ])('drops %s, which belongs to the connection', (name) => {
    expect(
      endToEnd([
        [name, 'x'],
        ['Content-Type', 'text/xml'],
      ]),
    ).toEqual([['Content-Type', 'text/xml']]);
  });

  test('drops what any Connection line names, whatever the case', () => {
    const lines: HeaderLines = [
      ['X-Hop', '1'],
      ['connection', 'close, x-hop'],
      ['Connection', ' X-OTHER '],
      ['x-other', '2'],
      ['X-Stays', '3'],
    ];
    expect(endToEnd(lines)).toEqual([['X-Stays', '3']]);
  });
});

describe('texts that are no answers', () => {
  const isInterim = createInterimTexts(['正在查询…', '/^searching/i', '/']);

  test.each(['正在查询…', ' 正在查询…\n', 'Searching the web', '/'])('%j is one', (text) => {
    expect(isInterim(text)).toBe(true);
  });

  test.each([null, '', '正在查询', 'I am searching', `searching ${'x'.repeat(500)}`])(
    '%.20j is none',
    (text) => {
      expect(isInterim(text)).toBe(false);
    },
  );
});

describe('withQuery', () => {
  test.each([
    ['http://bot/wx', 'signature=a&nonce=b', 'http://bot/wx?signature=a&nonce=b'],
    ['http://bot/wx?key=1', 'signature=a', 'http://bot/wx?key=1&signature=a'],
    ['http://bot/wx?key=1', '', 'http://bot/wx?key=1'],
    ['http://bot/wx', 'echo=%E4%BD%A0+%2B', 'http://bot/wx?echo=%E4%BD%A0+%2B'],
  ])('%s and "%s" make %s', (url, rawQuery, expected) => {
    expect(withQuery(url, rawQuery)).toBe(expected);
  });
});

test("the bot's request is the platform's own, with a key and the number of the attempt", () => {
  const body = Buffer.from([0, 255, 13]);
  const push = {
    method: 'POST',
    rawQuery: 'nonce=1',
    headers: [
      ['Host', 'keeptyping.example'],
      ['Content-Type', 'text/xml'],
      ['idempotency-key', 'theirs'],
      ['X-KEEPTYPING-Attempt', '7'],
      ['x_keeptyping_other', 'x'],
      ['Idempotency-Keys', 'stays'],
    ],
    body,
  } as const;
  expect(
    botRequest({ botUrl: 'http://bot/', push, key: '24180351648420683', attempt: 2, timeoutMs: 9 }),
  ).toEqual({
    method: 'POST',
    url: 'http://bot/?nonce=1',
    headers: [
      ['Content-Type', 'text/xml'],
      ['Idempotency-Keys', 'stays'],
      ['Idempotency-Key', '24180351648420683'],
      ['X-Keeptyping-Attempt', '2'],
    ],
    body,
    timeoutMs: 9,
  });
});

const status = (code: number): Answer => ({ status: code, headers: [], body: new Uint8Array() });

describe('judgeBot', () => {
  const refused = new NoAnswer('ECONNREFUSED', { begun: false });
  const reset = new NoAnswer('ECONNRESET', { begun: true });
  const timeout = new NoAnswer('no answer within 120000 ms', { begun: true, timedOut: true });

  const verdicts: [what: string, result: Answer | NoAnswer, safe: BotVerdict, always: BotVerdict][] = [
    ['200', status(200), 'answered', 'answered'],
    ['204', status(204), 'answered', 'answered'],
    ['199', status(199), 'failed', 'failed'],
    ['300', status(300), 'failed', 'failed'],
    ['302', status(302), 'failed', 'failed'],
    ['404', status(404), 'failed', 'failed'],
    ['500', status(500), 'failed', 'again'],
    ['502', status(502), 'again', 'again'],
    ['503', status(503), 'again', 'again'],
    ['504', status(504), 'failed', 'again'],
    ['a refused connection', refused, 'again', 'again'],
    ['a reset', reset, 'failed', 'again'],
    ['a timeout', timeout, 'failed', 'failed'],
  ];

  test.each(verdicts)('%s', (_, result, safe, always) => {
    const verdict = (retry: BotRetry) => judgeBot(result, retry, 2_000);
    expect({ safe: verdict('safe'), always: verdict('always') }).toEqual({ safe, always });
    expect(verdict('never')).toBe(safe === 'answered' ? 'answered' : 'failed');
  });

  // https://devcenter.heroku.com/articles/request-timeout: a router gives up after 30 s, and the bot works on.
  // https://github.com/benoitc/gunicorn/issues/3098: a worker that is killed at its time-out.
  test.each([502, 503])('a %i that comes after a while is no refusal: the bot may have begun', (code) => {
    expect(judgeBot(status(code), 'safe', 2_001)).toBe('failed');
    expect(judgeBot(status(code), 'always', 30_000)).toBe('again');
  });
});

test('a header is found whatever the case of its name, the first of several', () => {
  const lines: HeaderLines = [
    ['X-Typing', 'none'],
    ['x-typing', 'done'],
  ];
  expect(headerOf(lines, 'x-TYPING')).toBe('none');
  expect(headerOf(lines, 'absent')).toBeNull();
});

describe('why the bot brought no answer', () => {
  test.each<[Answer | NoAnswer, string]>([
    [{ status: 500, headers: [], body: new Uint8Array() }, 'status 500'],
    [new NoAnswer('no answer within 120 s', { begun: true, timedOut: true }), 'timed out after 120 s'],
    [new NoAnswer('ECONNREFUSED', { begun: false }), 'connection refused (ECONNREFUSED)'],
    [new NoAnswer('CERT_HAS_EXPIRED', { begun: false }), 'CERT_HAS_EXPIRED'],
  ])('is said as people do: %#', (result, cause) => {
    expect(causeOf(result, 120_000)).toBe(cause);
  });

  test('its address is told without what may be a secret', () => {
    expect(addressOf('https://me:secret@bot.example:8443/hook?key=secret#x')).toBe(
      'https://bot.example:8443/hook',
    );
  });
});
