/** The doctor's parts that need no network. */
import { inChinese } from '../../src/core/chinese.ts';
import { said, saidElsewhere } from '../../src/core/said.ts';
import { describe, expect, test } from 'vitest';
import { fail, type Finding, ok, warn } from '../../src/core/platform.ts';
import type { Sights } from '../../src/core/roster.ts';
import {
  agoOf,
  type Check,
  createProgress,
  exitCodeOf,
  reportAsJson,
  lineOf,
  readArguments,
  runChecks,
  summaryOf,
} from '../../src/doctor/check.ts';
import { type AccountSights, examineSights } from '../../src/doctor/sights.ts';
import { nxcloudEvidence } from '../../src/nxcloud/check.ts';
import { createWechatExaminer, wechatEvidence } from '../../src/wechat/check.ts';
import { wechatAccount } from '../support/accounts.ts';
import { deferred } from '../support/queue-fakes.ts';
import { adapterDeps, scriptedSend } from '../support/wechat.ts';

const hour = 60 * 60_000;

describe('the command line', () => {
  test.each([
    [[], {}, { json: false, push: false, help: false, webhookBase: null }],
    [['--json', '--push'], {}, { json: true, push: true }],
    [['--webhook', 'https://typing.example.com/'], {}, { webhookBase: 'https://typing.example.com' }],
    [['--webhook=https://a.example/sub/'], {}, { webhookBase: 'https://a.example/sub' }],
    [['--webhook', 'https://a.example/webhooks/wechat/shop?x=1'], {}, { webhookBase: 'https://a.example' }],
    [[], { WEBHOOK_URL: 'https://a.example' }, { webhookBase: 'https://a.example' }],
    [
      ['--webhook', 'https://b.example'],
      { WEBHOOK_URL: 'https://a.example' },
      { webhookBase: 'https://b.example' },
    ],
    [[], { WEBHOOK_URL: '' }, { webhookBase: null }],
    [['--webhook'], {}, { fault: expect.stringContaining('whole URL') }],
    [['--webhook', 'a.example'], {}, { fault: expect.stringContaining('whole URL') }],
    [['push'], {}, { fault: 'push is no option of the doctor: see --help.' }],
    [[], { LANG: 'zh_CN.UTF-8' }, { language: 'zh' }],
    [[], { LANG: 'zh_CN.UTF-8', LC_ALL: 'C.UTF-8' }, { language: 'en' }],
    [[], { LANG: 'en_GB.UTF-8', LC_MESSAGES: 'zh_CN' }, { language: 'zh' }],
    [[], { LANG: 'zha_CN' }, { language: 'en' }],
    [['--lang', 'zh-CN'], { LANG: 'de_DE' }, { language: 'zh' }],
    [['--lang=EN'], { LC_ALL: 'zh_TW.UTF-8' }, { language: 'en' }],
    [['--lang', 'zh_CN.UTF-8'], {}, { language: 'zh' }],
    [['--lang', 'zn'], {}, { fault: '--lang zn is not known: say en or zh-CN.', language: 'en' }],
    [['--lang', 'english'], {}, { fault: expect.stringContaining('say en or zh-CN') }],
    [['--lang'], { LANG: 'zh' }, { fault: expect.stringContaining('say en or zh-CN'), language: 'zh' }],
  ])('%o %o', (words, environment, wanted) => {
    expect(readArguments(words, environment)).toMatchObject(wanted);
  });
});

const check = (subject: string, run: Check['run']): Check => ({ subject, limitMs: 5_000, run });

describe('checks', () => {
  const never = new Promise<never>(() => {});
  const sleeper = (over: (ms: number) => boolean) => async (ms: number) => (over(ms) ? undefined : never);

  async function run(checks: Check[], over: (ms: number) => boolean = () => false) {
    const shown: string[] = [];
    const show = {
      waiting: ({ subject }: Check) => void shown.push(`waiting ${subject}`),
      findings: (found: readonly Finding[]) => found.forEach(({ subject }) => shown.push(subject)),
    };
    return { findings: await runChecks(checks, { sleep: sleeper(over), show }), shown };
  }

  test('all run at once, and are shown in their order', async () => {
    const began: string[] = [];
    const gate = deferred();
    const first = check('first', async () => {
      began.push('first');
      await gate.promise;
      return [ok('first', saidElsewhere('is there'))];
    });
    const second = check('second', async () => {
      began.push('second');
      gate.resolve();
      return [ok('second', saidElsewhere('is there'))];
    });
    const { shown } = await run([first, second]);
    expect(began).toEqual(['first', 'second']);
    expect(shown).toEqual(['waiting first', 'first', 'waiting second', 'second']);
  });

  test('one that hangs fails after its own limit; the others count', async () => {
    const { findings } = await run(
      [check('hanging', () => never), check('good', async () => [ok('good', saidElsewhere('x'))])],
      () => true,
    );
    expect(findings).toMatchObject([
      { level: 'fail', subject: 'hanging', says: 'no answer within 5 s' },
      { level: 'ok', subject: 'good' },
    ]);
  });

  test('one that breaks says so, without what the error holds', async () => {
    const broken = check('broken', () => Promise.reject(new TypeError('token=hidden')));
    const { findings } = await run([broken, check('good', async () => [ok('good', saidElsewhere('x'))])]);
    expect(findings).toMatchObject([{ level: 'fail', subject: 'broken' }, { level: 'ok' }]);
    expect(JSON.stringify(findings)).not.toContain('hidden');
  });
});

describe('the report', () => {
  const bad = warn('worker', { says: saidElsewhere('no sign of life'), remedy: saidElsewhere('Start it.') });

  test('a line says what is wrong and how to mend it', () => {
    expect(lineOf(ok('Redis', saidElsewhere('reached')))).toBe('ok    Redis: reached.');
    expect(lineOf(bad)).toBe('warn  worker: no sign of life. Start it.');
    expect(lineOf({ ...bad, level: 'fail' })).toBe('FAIL  worker: no sign of life. Start it.');
  });

  test('in Chinese, where it is wanted', () => {
    const stopped = fail('Redis', {
      says: said('Redis takes no writes: its memory is full: give it more.'),
      remedy: '',
    });
    expect(lineOf(stopped)).toBe('FAIL  Redis: Redis takes no writes: its memory is full: give it more.');
    expect(lineOf(stopped, 'zh')).toBe('FAIL  Redis：Redis 不接受写入：内存已满，请给它更多内存。');
    const down = warn('worker', {
      says: said('no sign of life in the last 3 s'),
      remedy: said('Mend Redis.'),
    });
    expect(lineOf(down, 'zh')).toBe('warn  worker：最近 3 秒没有存活的迹象。请先解决 Redis 的问题。');
    expect(summaryOf([down], 'zh')).toBe('0 项正常，1 项需留意，0 项必须解决');
  });

  test('is one line, whatever it quotes', () => {
    expect(lineOf(ok('Redis', saidElsewhere('a\nb\r\n c')))).toBe('ok    Redis: a b c.');
  });

  test('warnings are no failure', () => {
    expect(exitCodeOf([ok('a', saidElsewhere('b')), bad])).toBe(0);
    expect(exitCodeOf([bad, { ...bad, level: 'fail' }])).toBe(1);
    expect(JSON.parse(reportAsJson([bad])).ok).toBe(true);
    expect(summaryOf([bad, ok('a', saidElsewhere('b'))])).toBe('1 ok, 1 to look at, 0 to mend');
  });

  test.each([
    [0, 'within the hour'],
    [3 * hour, '3 h ago'],
    [72 * hour, '3 d ago'],
  ])('%i ms is %s', (ms, says) => {
    expect(agoOf(ms)).toBe(says);
  });

  test('progress is one line that goes away', () => {
    let screen = '';
    const progress = createProgress((text) => (screen += text));
    progress.on('Redis');
    expect(screen).toContain('Redis');
    progress.off();
    expect(screen.endsWith('\r\u001B[2K')).toBe(true);
    const before = screen;
    progress.off();
    expect(screen).toBe(before);
  });
});

describe('what was seen', () => {
  const now = 1_700_000_000_000;
  const look = (over: Partial<AccountSights>) => {
    const findings = examineSights({
      channel: 'wechat',
      account: 'default',
      evidence: over.channel === 'nxcloud' ? nxcloudEvidence : wechatEvidence,
      sights: {},
      hasPrevious: false,
      hasBot: true,
      off: { until: 0, code: 0, remedy: '' },
      assuredSince: 0,
      now,
      ...over,
    });
    for (const { says } of findings) expect(inChinese(says)).not.toBe(says);
    return findings.map((finding) => lineOf(finding));
  };
  const ago = (ms: number): number => now - ms;

  test('of timestamps: the oldest that was taken', () => {
    const message = ago(1);
    expect(look({ sights: { message } })).toContainEqual(
      expect.stringMatching(/^ok .*timestamps: none older than 1 min/),
    );
    const sights = { message, 'aged-1-min': ago(5), 'aged-1-h': ago(7_200_000) };
    expect(look({ sights })).toContainEqual(
      expect.stringMatching(/^ok .*timestamps: the oldest taken was over 1 h old, 2 h ago/),
    );
  });

  test.each([
    ['default', '/webhooks/wechat,'],
    ['shop', '/webhooks/wechat/shop,'],
  ])('of %s, to which nobody wrote: its own URL is named', (account, path) => {
    expect(look({ account })).toEqual([
      'ok    typing: not refused by the platform.',
      expect.stringContaining(`keeptyping's URL, ${path} into`),
    ]);
  });

  test.each<[string, Sights, RegExp]>([
    [
      'messages, and nothing that ended one',
      { message: now },
      /^warn {2}evidence: nothing tells when an answer is out\. .*gateway/,
    ],
    [
      'only deadlines',
      { message: now, 'end-by-deadline': ago(2 * hour) },
      /^warn {2}evidence: nothing tells when answers are out, 2 h ago\. /,
    ],
    [
      'deadlines since the gateway',
      { message: now, 'end-by-gateway': ago(50 * hour), 'end-by-deadline': ago(hour) },
      /^warn .*; before that by gateway \(2 d ago\)\. /,
    ],
    [
      'the gateway since a deadline',
      { message: now, 'end-by-gateway': now, 'end-by-deadline': ago(hour) },
      /^ok {4}evidence: turns ended by gateway \(within the hour\)\./,
    ],
    [
      'the control API',
      { message: now, 'end-by-control': now },
      /^ok {4}answers: the bot acknowledges, and sends another way\./,
    ],
  ])('%s', (_, sights, line) => {
    expect(look({ sights })).toContainEqual(expect.stringMatching(line));
  });

  test('answers of a Mini Program, of which WeChat shows none', () => {
    const { evidence } = createWechatExaminer(
      { ...wechatAccount, kind: 'mini' },
      adapterDeps(scriptedSend()),
    );
    expect(look({ evidence, sights: { 'end-by-passive-reply': now } })).toContainEqual(
      expect.stringMatching(
        /^ok {4}answers: .*of a Mini Program: in job mode they go out through the API\.$/,
      ),
    );
  });

  test('an answer that came too late and could not be sent, for as long as its job says what it was', () => {
    expect(look({ sights: { message: now, impossible: ago(3 * hour) } })).toContainEqual(
      expect.stringMatching(/^warn {2}late answers: one came too late \(3 h ago\)/),
    );
    expect(look({ sights: { message: now, impossible: ago(25 * hour) } }).join()).not.toContain(
      'late answers',
    );
  });

  const statuses = (sights: Sights) =>
    look({ channel: 'nxcloud', sights }).filter((line) => line.includes('statuses'));

  test('no status is missed where something else tells the end', () => {
    expect(statuses({ message: now })).toContainEqual(
      expect.stringMatching(/^warn {2}statuses: never seen\. Let NXCloud/),
    );
    expect(statuses({ message: now, 'end-by-gateway': now })).toEqual([
      'ok    statuses: never seen, and not needed.',
    ]);
    expect(statuses({})).toEqual([]);
  });

  test.each<[string, Sights, RegExp]>([
    ['never', {}, /^ok .*never seen in use: .*can be removed/],
    ['lately', { 'previous-secret': ago(3 * hour) }, /^warn .*still in use \(3 h ago\)\. /],
    ['long ago', { 'previous-secret': ago(72 * hour) }, /^ok .*last used 3 d ago: .*can be removed/],
  ])('a previous secret, %s', (_, sights, line) => {
    expect(look({ hasPrevious: true, sights })).toContainEqual(expect.stringMatching(line));
    expect(look({ sights }).join()).not.toContain('previous');
  });

  test.each<[string, Sights, string[]]>([
    ['none', { taken: now }, []],
    [
      'refused, and none taken since',
      { 'refused Set the Token.': ago(120_000), taken: ago(hour) },
      ['FAIL  pushes: not taken, the last 2 min ago, and none since was. Set the Token.'],
    ],
    [
      'refused for several reasons, before others were taken',
      { 'refused Set the Token.': ago(hour), 'refused Set the key.': ago(120_000), taken: ago(60_000) },
      [
        'warn  pushes: some were not taken, the last 2 min ago, and others since were. Set the key. Set the Token.',
      ],
    ],
    ['refused long ago', { 'refused Set the Token.': ago(25 * hour) }, []],
  ])('pushes: %s', (_, sights, lines) => {
    expect(look({ sights }).filter((line) => line.includes('pushes:'))).toEqual(lines);
  });

  test('an account that is switched off, until it is tried again', () => {
    const off = { until: now + 90_000, code: 48001, remedy: 'Certify it.' };
    expect(look({ off })).toContain(
      "warn  typing: refused with code 48001; tried again in 2 min, at once after a restart, or by the console's button. Certify it.",
    );
    expect(look({ off: { ...off, until: now } })).toContain(
      'warn  typing: refused with code 48001; tried again with the next message. Certify it.',
    );
    expect(look({})).toContain('ok    typing: not refused by the platform.');
  });
});
