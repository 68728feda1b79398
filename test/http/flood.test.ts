/**
 * One push with as many messages as fit into it: 24,911 in 1 MB, unsigned, stopped typing for everybody
 * (https://github.com/nxtele/http-api-document/wiki/WhatsApp-API-webhook: `messages` is a list).
 */
import { describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { sign } from '../../src/nxcloud/signature.ts';
import { handClock, noon, realSleep } from '../support/clock.ts';
import { envelope, textMessage } from '../support/nxcloud.ts';
import { nxcloud, openScene, pushWechat, wechat } from './scene.ts';

const took = async () => ({ status: 200, headers: [], body: Buffer.from('') });

let count = 0;
const pushOf = (messages: number): string =>
  JSON.stringify(
    envelope({ messages: Array.from({ length: messages }, () => textMessage({ id: `m${(count += 1)}` })) }),
  );

const signed = (body: string): string[] => {
  const common = { accessKey: 'fme2na3kdi3ki', action: 'mo', bizType: '2', ts: '1655710885431' };
  const made = sign(common, body, { accessSecret: 'abciiiko2k3' });
  return ['accesskey', common.accessKey, 'action', 'mo', 'biztype', '2', 'ts', common.ts, 'sign', made];
};

async function open(account: Partial<NxcloudAccount>, mode: 'job' | 'pass' | 'observe' = 'job') {
  const clock = handClock(noon, realSleep);
  const notices: Notice[] = [];
  const bot = { url: 'http://bot.test/', timeoutMs: 5_000, retry: 'safe', concurrency: null } as const;
  const served = nxcloud({ account, bot: mode === 'observe' ? null : { ...bot, mode } });
  const scene = await openScene({
    accounts: [served, wechat()],
    clock,
    send: took,
    observe: (notice) => notices.push(notice),
  });
  const push = async (body: string, headers: string[] = []): Promise<number> =>
    (await scene.call('/webhooks/nxcloud', { headers, body }).answer).status;
  /** How many messages were told of each push so far. */
  const told = () => scene.journal.of('tell').map(({ happenings }) => happenings.length);
  const results = () => notices.flatMap((notice) => (notice.is === 'push' ? [notice.result] : []));
  return { scene, clock, push, told, results, notices };
}

describe('a push that holds more messages than its account takes', () => {
  test('24,911 of them go to the bot byte for byte, and nothing of them is typed, noted or opened', async () => {
    const { scene, push, told, results, notices } = await open({});
    const messages = Array.from({ length: 24_911 }, (_, n) => ({ from: '1', id: `${n}`, type: 'text' }));
    const body = JSON.stringify({ messages });
    expect(await push(body)).toBe(200);
    const { request } = await scene.journal.when('asked');
    expect(Buffer.compare(Buffer.from(request.body ?? ''), Buffer.from(body))).toBe(0);
    expect(told()).toEqual([0]);
    expect(results()).toEqual(['unread']);
    expect(notices.filter(({ is }) => is === 'inbound')).toEqual([]);
    expect(scene.log.lines).toMatchObject([
      { level: 'warn', fields: { account: 'sales', messages: 24_911, unsigned: true } },
    ]);
  });

  test.each(['job', 'pass', 'observe'] as const)('is not read in mode %s, one with less is', async (mode) => {
    const { push, told } = await open({ pushMessages: 3 }, mode);
    expect(await push(pushOf(3))).toBe(200);
    expect(await push(pushOf(4))).toBe(200);
    expect(told()).toEqual([3, 0]);
  });

  test.each(['statuses', 'contacts', 'message_echoes'])(
    'or %s, which are work too, is not read',
    async (list) => {
      const { push, told, results } = await open({ pushMessages: 3 });
      const more = { [list]: [{}, {}, {}, {}] };
      expect(await push(JSON.stringify(envelope({ messages: [textMessage()], ...more })))).toBe(200);
      expect(told()).toEqual([0]);
      expect(results()).toEqual(['unread']);
    },
  );

  test('is the same push when it is repeated', async () => {
    const { scene, push } = await open({ pushMessages: 3 });
    const body = pushOf(4);
    await push(body);
    await push(body);
    await scene.roundTrip();
    expect(scene.journal.of('asked')).toHaveLength(1);
  });
});

describe('the messages of an account within a minute', () => {
  test('are bounded, signed and unsigned ones apart, and fill up again with time', async () => {
    const { scene, clock, push, told } = await open({ messagesPerMinute: 6, unsignedPerMinute: 3 });
    const say = async (messages: number, isSigned = false): Promise<number | undefined> => {
      const body = pushOf(messages);
      expect(await push(body, isSigned ? signed(body) : [])).toBe(200);
      return told().at(-1);
    };
    expect([await say(2), await say(2), await say(1)]).toEqual([2, 0, 1]);
    expect([await say(6, true), await say(1, true)]).toEqual([6, 0]);
    clock.pass(20_000);
    expect([await say(1), await say(1), await say(2, true), await say(1, true)]).toEqual([1, 0, 2, 0]);
    clock.pass(600_000);
    expect([await say(3), await say(1)]).toEqual([3, 0]);
    await expect.poll(() => scene.journal.of('asked').length).toBe(11);
  });

  test('come by a quarter at once, at most', async () => {
    const { clock, push, told } = await open({ unsignedPerMinute: 600 });
    for (let n = 0; n < 3; n += 1) await push(pushOf(75));
    expect(told()).toEqual([75, 75, 0]);
    clock.pass(7_500);
    await push(pushOf(75));
    expect(told().at(-1)).toBe(75);
  });

  test('that were too many are said once a minute', async () => {
    const { scene, clock, push } = await open({ unsignedPerMinute: 1 });
    for (let n = 0; n < 5; n += 1) await push(pushOf(2));
    expect(scene.log.lines).toHaveLength(1);
    clock.pass(60_000);
    await push(pushOf(2));
    expect(scene.log.lines).toHaveLength(2);
    expect(scene.log.lines[0]?.message).toContain('NXCLOUD_PUSH_MESSAGES');
  });

  test('are no other account’s', async () => {
    const { scene, push } = await open({ unsignedPerMinute: 1 });
    for (let n = 0; n < 5; n += 1) await push(pushOf(2));
    await pushWechat(scene).answer;
    expect(scene.journal.of('tell').at(-1)).toMatchObject({
      happenings: [{ is: 'inbound', user: 'openid1' }],
    });
  });
});
