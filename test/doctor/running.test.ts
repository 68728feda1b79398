/** The doctor beside a keeptyping that runs. */
import { beforeEach, describe, expect, test } from 'vitest';
import { markIs, type Stage, type StageOptions, useStage } from '../e2e/stage.ts';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import { keys } from '../../src/redis/keys.ts';
import { sightsOf } from '../../src/typing/learned.ts';
import { openScene, serve, visit, type Visit } from './scene.ts';

const stage = useStage();
let environment: Record<string, string>;

async function open(options: StageOptions = {}): Promise<Stage> {
  const opened = await stage.open(options);
  environment = { ...simulatedEnvironment(opened.simulator, opened.bot), REDIS_URL: opened.redis.url };
  return opened;
}

/** At the running one's address, with its own configuration unless told otherwise. */
const look = (over: Record<string, string> = {}, ...words: string[]): Promise<Visit> =>
  visit({ ...environment, WEBHOOK_URL: stage.now().webs[0]?.url ?? '', ...over }, ...words);

describe('the webhook', () => {
  test('takes a signed request of each platform', async () => {
    await open();
    const { of, code, lines } = await look();
    expect(of('wechat/default webhook')).toEqual([
      expect.stringMatching(/^ok .*\/webhooks\/wechat\/default takes a signed request, in \d/),
    ]);
    expect(of('nxcloud/default webhook')).toEqual([
      expect.stringMatching(/^ok .*\/webhooks\/nxcloud\/default takes a signed request/),
    ]);
    expect(of('worker')).toEqual(['ok    worker: alive.']);
    expect([code, lines.filter((line) => line.startsWith('FAIL'))]).toEqual([0, []]);
  });

  test('with --push a message goes all the way to the bot', async () => {
    const { bot } = await open();
    const { of } = await look({}, '--push');
    expect(of('wechat/default webhook')).toContainEqual(
      expect.stringMatching(/^ok .*takes a signed message/),
    );
    expect(of('nxcloud/default webhook')).toContainEqual(
      expect.stringMatching(/^ok .*takes a signed message/),
    );
    // Knock and message, each directly and through the webhook; WeChat's check of the URL stays at the webhook.
    await bot.call(7);
    expect(bot.calls).toHaveLength(7);
  });

  test('says what it does with forged requests, and its own signed ones teach it nothing', async () => {
    const { simulator, redis } = await open({ nxcloud: { callbacks: 'md5' } });
    const forged = async () => {
      const { of } = await look({}, '--push');
      return [of('wechat/default forged requests'), of('nxcloud/default forged requests')].flat();
    };
    const refused = expect.stringMatching(/^ok .* an unsigned and a wrongly signed one are refused/);
    expect(await forged()).toEqual([
      refused,
      expect.stringMatching(/^warn .*HTTP 200 to an unsigned one, HTTP 401 to a wrongly signed one\. /),
    ]);
    expect((await forged())[1]).toMatch(
      /^warn .*HTTP 200 to an unsigned one, HTTP 401 to a wrongly signed one\. Switch/,
    );
    await simulator.nxcloud.push({ user: '8613800138000', text: 'hello' });
    expect(await forged()).toEqual([refused, refused]);
    await expect.poll(() => redis.connect().hexists(keys.assured, 'nxcloud/default')).toBe(1);
    const { of } = await look();
    expect(of('nxcloud/default signed or encrypted pushes')).toEqual([
      expect.stringMatching(/^ok .*others are refused since then/),
    ]);
  });

  test('of a process with other secrets', async () => {
    await open({ env: { NXCLOUD_VERIFY_CALLBACKS: 'require' } });
    const { of, code } = await look({ WECHAT_TOKEN: 'another', NXCLOUD_ACCESS_SECRET: 'another' });
    expect(of('wechat/default webhook')).toEqual([
      expect.stringMatching(/^FAIL .*refused \(HTTP 401\)\. Start/),
    ]);
    expect(of('nxcloud/default webhook')).toEqual([expect.stringMatching(/^FAIL .*refused \(HTTP 401\)/)]);
    expect(code).toBe(1);
  });

  test('of a process without the account', async () => {
    await open({
      env: {
        WECHAT_APP_ID: '',
        WECHAT_APP_SECRET: '',
        WECHAT_TOKEN: '',
        WECHAT_ENCODING_AES_KEY: '',
        WECHAT_BOT_URL: '',
      },
    });
    const { of } = await look();
    expect(of('wechat/default webhook')).toEqual([expect.stringMatching(/^FAIL .*no such account there/)]);
    expect(of('nxcloud/default webhook')).toEqual([expect.stringMatching(/^ok/)]);
  });

  test('where nobody, or somebody else, answers', async () => {
    const { environment: alone } = await openScene();
    const nobody = await visit({ ...alone, WEBHOOK_URL: 'http://127.0.0.1:1' });
    expect(nobody.of('wechat/default webhook')).toEqual([expect.stringMatching(/^FAIL .*not reached/)]);
    const other = await serve((_, response) => response.end('welcome'));
    const elsewhere = await visit(alone, '--webhook', `${other}/webhooks/wechat`);
    expect(elsewhere.of('wechat/default webhook')).toEqual([expect.stringMatching(/^FAIL .*somebody else/)]);
    const wrong = await visit(alone, '--webhook=typing.example.com');
    expect(wrong).toMatchObject({ code: 1, text: expect.stringContaining('must be a whole URL') });
  });

  test('without its URL the local port is tried, if keeptyping is there', async () => {
    const { webs } = await open();
    const port = new URL(webs[0]?.url ?? '').port;
    const here = await visit({ ...environment, PORT: port });
    expect(here.of('wechat/default webhook')).toEqual([expect.stringMatching(/^ok/)]);
    const nothing = await visit({ ...environment, PORT: '1' });
    expect(nothing.of('webhook')).toEqual([
      expect.stringMatching(/^warn .*nothing answers at .* --webhook https/),
    ]);
    const other = await serve((_, response) => response.end('welcome'));
    const elsewhere = await visit({ ...environment, PORT: new URL(other).port });
    expect(elsewhere.of('webhook')).toEqual([expect.stringMatching(/^warn .*is not keeptyping/)]);
    expect(elsewhere.of('wechat/default webhook')).toEqual([]);
  });
});

async function seen(field: string): Promise<void> {
  const redis = stage.now().redis.connect();
  await expect.poll(() => redis.hexists(keys.seen, field)).toBe(1);
}

describe('what was seen while it ran', () => {
  test('nothing yet', async () => {
    await open();
    const { of, code } = await look();
    expect(of('wechat/default messages')).toEqual([
      expect.stringMatching(/^warn .*never seen\. Put .*\/webhooks\/wechat/),
    ]);
    expect(of('nxcloud/default evidence')).toEqual([]);
    expect(code).toBe(0);
  });

  test("messages, statuses, the bot's answers and what ended the turns", async () => {
    const { simulator } = await open();
    const user = { user: 'oUser', text: 'hello' };
    await simulator.wechat.push(user);
    await simulator.wechat.phone('oUser').next(markIs('received'));
    await simulator.nxcloud.push({ user: '8613800138000', text: 'hello' });
    await seen('wechat/default/end-by-passive-reply');
    await seen('nxcloud/default/end-by-status');
    const { of } = await look();
    expect(of('wechat/default messages')).toEqual([
      'ok    wechat/default messages: last seen within the hour.',
    ]);
    expect(of('wechat/default answers')).toEqual([
      expect.stringMatching(/^ok .*webhook answer, last seen within/),
    ]);
    expect(of('wechat/default evidence')).toEqual([
      'ok    wechat/default evidence: turns ended by passive-reply (within the hour).',
    ]);
    expect(of('nxcloud/default statuses')).toEqual([
      'ok    nxcloud/default statuses: last seen within the hour.',
    ]);
    expect(of('nxcloud/default evidence')).toEqual([
      'ok    nxcloud/default evidence: turns ended by status (within the hour).',
    ]);
  });

  test('an answer that came too late, of a kind that no API can send', async () => {
    const { simulator } = await open({ bot: { style: 'transfer', thinkMs: 1_000 } });
    await simulator.wechat.push({ user: 'oUser', text: 'help' });
    await seen('wechat/default/impossible');
    const { of } = await look();
    expect(of('wechat/default late answers')).toEqual([
      expect.stringMatching(
        /^warn .*one came too late \(within the hour\) of a kind that no API can send\. Let the bot/,
      ),
    ]);
  });

  test('pushes that were refused for a wrong Token, until one is taken', async () => {
    const { webs, redis, simulator } = await open();
    const url = `${webs[0]?.url}/webhooks/wechat`;
    const forged = '?signature=00&timestamp=1&nonce=2';
    expect((await fetch(url + forged, { method: 'POST', body: '<xml/>' })).status).toBe(401);
    const fields = async () => Object.keys(await redis.connect().hgetall(keys.seen));
    await expect.poll(fields).toContainEqual(expect.stringMatching(/^wechat\/default\/refused .*Token/));
    const { of, code } = await look({}, '--push');
    expect(code).toBe(1);
    const mend = /set the same Token here and in the WeChat console\.$/;
    expect(of('wechat/default pushes')).toEqual([expect.stringMatching(/^FAIL .*none since was\. /)]);
    expect(of('wechat/default pushes')).toEqual([expect.stringMatching(mend)]);
    expect(await fields()).not.toContainEqual(expect.stringContaining('taken'));
    simulator.wechat.connect(url);
    await simulator.wechat.push({ user: 'oDoctor', text: 'x' });
    await expect.poll(fields).toContain('wechat/default/taken');
    const after = await look();
    expect(after.of('wechat/default pushes')).toEqual([
      expect.stringMatching(/^warn .*others since were\. /),
    ]);
    expect(after.code).toBe(0);
  });

  test('an account that was switched off, and why', async () => {
    const { simulator, redis } = await open({ bot: { thinkMs: 200 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { code: 48001 }, 1);
    await simulator.wechat.push({ user: 'oUser', text: 'hello' });
    const connection = redis.connect();
    await expect.poll(() => connection.hexists(keys.accounts, 'wechat/default/permission')).toBe(1);
    const { of } = await look();
    expect(of('wechat/default typing')).toEqual([
      expect.stringMatching(/^warn .*refused with code 48001; tried again in 1 min, .*certify/),
    ]);
  });

  describe('of a rotation', () => {
    const rotating = {
      WECHAT_TOKEN: 'newtoken',
      CONTROL_TOKEN: 'n'.repeat(16),
      CONTROL_TOKEN_PREVIOUS: 'o'.repeat(16),
    };
    const previous = (token: string) => ({ ...rotating, WECHAT_TOKEN_PREVIOUS: token });
    beforeEach(async () => {
      const { simulator } = await openScene();
      await open({ env: previous(simulator.wechat.options.token) });
    });

    test('the previous secrets are not used any more', async () => {
      const { of } = await look(previous('simulatedtoken'));
      expect(of('wechat/default previous secret')).toEqual([
        expect.stringMatching(/^ok .*never seen in use: .*removed/),
      ]);
      expect(of('control token previous secret')).toEqual([expect.stringMatching(/^ok .*never seen in use/)]);
      expect((await look()).of('wechat/default previous secret')).toEqual([]);
    });

    test('the previous secrets are still in use', async () => {
      const { simulator, webs } = stage.now();
      await simulator.wechat.push({ user: 'oUser', text: 'hello' });
      await fetch(`${webs[0]?.url}/conversations/wechat/default/oUser`, {
        headers: { Authorization: `Bearer ${'o'.repeat(16)}` },
      });
      await seen('wechat/default/previous-secret');
      await seen('control/token/previous-secret');
      const { of, code } = await look(previous('simulatedtoken'));
      expect(of('wechat/default previous secret')).toEqual([
        expect.stringMatching(/^warn .*still in use \(within/),
      ]);
      expect(of('control token previous secret')).toEqual([expect.stringMatching(/^warn .*still in use/)]);
      expect(code).toBe(0);
    });

    test('the current ones leave no trace', async () => {
      const { webs, redis, simulator } = stage.now();
      simulator.wechat.connect(`${webs[0]?.url}/webhooks/wechat`);
      await fetch(`${webs[0]?.url}/conversations/wechat/default/oUser`, {
        headers: { Authorization: `Bearer ${'n'.repeat(16)}` },
      });
      await look({ ...previous('simulatedtoken') }, '--push');
      await seen('wechat/default/message');
      const place = { channel: 'wechat', account: 'default' };
      const hash = await redis.connect().hgetall(keys.seen);
      expect(sightsOf(hash, place)['previous-secret']).toBeUndefined();
      expect(sightsOf(hash, { channel: 'control', account: 'token' })).toEqual({});
    });
  });
});
