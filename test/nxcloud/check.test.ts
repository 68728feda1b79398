import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/core/platform.ts';
import { NoAnswer, type OutboundRequest, type Send } from '../../src/core/wire.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { createNxcloudExaminer } from '../../src/nxcloud/check.ts';
import { nxcloudAccount as account } from '../support/accounts.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { answer, createScene, start } from '../support/nxcloud.ts';

const refused = (code: number) => ({ code, message: 'in any language' });
const unknownMessage = { code: 0, data: { error: { code: 100 } } };

function sceneOf(body: unknown, { over = {}, date }: { over?: Partial<NxcloudAccount>; date?: number } = {}) {
  const requests: OutboundRequest[] = [];
  const headers = date === undefined ? [] : [['Date', new Date(date).toUTCString()] as const];
  const send: Send = async (request) => {
    requests.push(request);
    if (body instanceof Error) throw body;
    return answer(body, 200, headers);
  };
  const clock = handClock(start);
  const examiner = createNxcloudExaminer({ ...account, ...over }, { send, clock, log: recordLog() });
  return { examiner, requests };
}

const ask = (...scene: Parameters<typeof sceneOf>): Promise<Finding[]> => sceneOf(...scene).examiner.ask();

describe('asking NXCloud', () => {
  test('a message that does not exist shows that signature, app and number are right', async () => {
    const { examiner, requests } = sceneOf(unknownMessage);
    expect(await examiner.ask()).toEqual([
      {
        level: 'ok',
        subject: 'signature',
        says: 'NXCloud accepts it, and knows the app and its number',
        remedy: '',
      },
    ]);
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual(['/api/wa/typingIndicator']);
    expect(JSON.parse(String(requests[0]?.body))).toMatchObject({
      message_id: 'wamid.a2VlcHR5cGluZyBkb2N0b3I=',
      business_phone: '8615800001795',
    });
  });

  test.each([
    [1003, 'fail', '1003 (invalid signature)', /NXCLOUD_ACCESS_SECRET/],
    [1005, 'fail', '1005 (insufficient permission)', /NXCLOUD_ACCESS_KEY/],
    [1004, 'fail', '1004 (timestamp expired)', /NTP/],
    [10003, 'fail', '10003 (number not bound to the app)', /business contact/],
    [9002, 'fail', '9002 (invalid business phone number)', /NXCLOUD_BUSINESS_PHONE/],
    [9000, 'fail', '9000 (parameter error)', /support/],
    [9001, 'warn', '9001 (system business error)', /Try again/],
    [4711, 'warn', 'code 4711', /Try again/],
  ] as const)('refused with %i: %s', async (code, level, says, remedy) => {
    const [finding] = await ask(refused(code));
    expect(finding).toMatchObject({
      level,
      subject: 'signature',
      says: expect.stringContaining(says),
      remedy: expect.stringMatching(remedy),
    });
  });

  test('without a configured number its signature is judged all the same', async () => {
    const [finding] = await ask(refused(9002), { over: { businessPhone: null } });
    expect(finding).toMatchObject({
      level: 'ok',
      says: expect.stringContaining('not known before the first push'),
    });
    expect((await ask(refused(1003), { over: { businessPhone: null } }))[0]?.level).toBe('fail');
  });

  test('an account whose typing is off needs none of it', async () => {
    expect((await ask(refused(1003), { over: { rules: { mode: 'off' } } }))[0]?.level).toBe('warn');
  });

  test('out of reach', async () => {
    const [finding, ...others] = await ask(new NoAnswer('ECONNREFUSED', { begun: false }));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ level: 'fail', says: expect.stringContaining('ECONNREFUSED') });
  });

  test.each([
    [0, 'ok', "agrees with NXCloud's"],
    [-4_000, 'ok', "4 s behind NXCloud's"],
    [12_000, 'warn', "12 s ahead of NXCloud's"],
    [-90_000, 'fail', "90 s behind NXCloud's"],
  ] as const)('a clock that is off by %i ms: %s', async (off, level, says) => {
    const found = await ask(unknownMessage, { date: start - off });
    expect(found[1]).toMatchObject({ level, subject: 'clock', says });
  });
});

describe('requests as NXCloud makes them', () => {
  const strict = { verifyCallbacks: 'require' } as const;
  const receive = (knock: ReturnType<ReturnType<typeof sceneOf>['examiner']['knock']>, secret: string) =>
    createScene([], { ...strict, accessSecrets: [secret] }).platform.receive({
      ...knock,
      body: Buffer.from(knock.body ?? ''),
    });

  test('the knock is signed with the current secret, and says nothing', async () => {
    const { examiner } = sceneOf(unknownMessage, { over: { accessSecrets: ['new', 'old'] } });
    expect(await receive(examiner.knock(), 'new')).toMatchObject({ is: 'push', happenings: [] });
    expect(await receive(examiner.knock(), 'old')).toMatchObject({ is: 'refusal', status: 401 });
  });

  test('the message is a text that a bot answers, and never a repeat', async () => {
    const { examiner } = sceneOf(unknownMessage);
    const [one, other] = [
      await receive(examiner.message(), 'abciiiko2k3'),
      await receive(examiner.message(), 'abciiiko2k3'),
    ];
    expect(one).toMatchObject({ happenings: [{ is: 'inbound', user: '10000000000', opensTurn: true }] });
    expect(one).not.toEqual(other);
  });

  test('a push tells when only the previous secret fits it', async () => {
    const { examiner } = sceneOf(unknownMessage);
    const knock = { ...examiner.knock(), body: Buffer.from(examiner.knock().body ?? '') };
    const read = (...accessSecrets: string[]) =>
      createScene([], { ...strict, accessSecrets }).platform.receive(knock);
    expect(await read('new', 'abciiiko2k3')).toMatchObject({ is: 'push', byPrevious: true });
    expect(await read('abciiiko2k3', 'old')).not.toHaveProperty('byPrevious');
    expect(await read('abciiiko2k3')).not.toHaveProperty('byPrevious');
  });
});
