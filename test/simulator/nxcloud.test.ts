import { describe, expect, test } from 'vitest';
import { callbackHeaders } from '../../src/simulator/nxcloud-push.ts';
import {
  NXCLOUD_DEFAULTS,
  type NxcloudOptions,
  type NxcloudRules,
  type Rearm,
} from '../../src/simulator/index.ts';
import type { Reply, Request } from '../../src/simulator/server.ts';
import { nxcloudCaller, simulator, story, webhook } from './helpers.ts';
import { handClock } from '../support/clock.ts';

const USER = '8613800000000';
const SEED_ID = 'wamid.HBgNODYxMzMyMDIzNzQ0NhUCABEYEjkzRjVGODY0OTJCQzM5QzQ1MgA=';
const OK: Reply = { status: 200, body: '{}' };
const TYPING = '/api/wa/typingIndicator';

/** A user who has just written the message of the page's example. */
async function conversation(rules: Partial<NxcloudRules> = {}, options: Partial<NxcloudOptions> = {}) {
  const clock = handClock();
  const hook = await webhook(() => Promise.resolve(OK));
  const running = await simulator({ nxcloud: { ...options, rules, webhookUrl: hook.url }, now: clock.now });
  const write = (id: string) => running.nxcloud.push({ user: USER, text: 'hello', id });
  await write(SEED_ID);
  const phone = running.nxcloud.phone(USER);
  return { clock, write, hook, ...running, phone, ...nxcloudCaller(running, clock.now) };
}

const details = (text: string) => /"details":"([^"]*)"/.exec(text)?.[1];
const errorCode = (text: string) => /"error":\{"code":([\d.]+)/.exec(text)?.[1];

const compact = (text: string) => text.replaceAll(/\n\s*/g, '').replaceAll('": ', '":');

const untraced = (text: string) => text.replace(/"fbtrace_id":"A\w{22}"/, '"fbtrace_id":"TRACE"');

const invalid = (message: string) =>
  compact(`{
"code": 0,
"data": {
"error": {
"code": 100.0,
"message": "(#100) Invalid parameter",
"type": "OAuthException",
"fbtrace_id": "TRACE",
"error_data": {
"messaging_product": "whatsapp",
"details": "${message}"
}
}
},
"message": "success"
}`);

describe("the page's examples, word for word", () => {
  test('success', async () => {
    const { typing } = await conversation();
    expect((await typing(SEED_ID)).text).toBe(
      compact(`{
"code": 0,
"data": {
"success": true
},
"message": "success"
}`),
    );
  });

  test('error case 1: a message id that nobody knows', async () => {
    const { typing } = await conversation();
    expect(untraced((await typing('wamid.unknown')).text)).toBe(
      invalid('Please check the message ID you have provided.'),
    );
  });

  test('error case 2: an outgoing message id', async () => {
    const { typing, send } = await conversation();
    await send(USER, 'answer', { cus_message_id: 'wamid.out' });
    expect(untraced((await typing('wamid.out')).text)).toBe(
      invalid(
        'Message supplied to mark message as read API with message ID: wamid.out is outgoing. Please use an incoming message ID.',
      ),
    );
  });

  test('failures: invalid parameters, system failure', async () => {
    const { call, typing, typingBody, nxcloud } = await conversation();
    const wrong = { ...typingBody(SEED_ID), typing_indicator: { type: 'voice' } };
    expect((await call(TYPING, wrong)).text).toBe(
      '{"code":9000,"data":null,"message":"Invalid parameter (typing_indicator.type must be \'text\')"}',
    );
    nxcloud.faults.set(TYPING, { code: -1 }, 1);
    expect((await typing(SEED_ID)).json()).toEqual({ code: -1, message: 'failure', data: null });
  });
});

describe('who may call', () => {
  test.each([
    ['a missing header', { bizType: '' }, 1001],
    ['another access key', { accessKey: 'other' }, 1005],
    ['another bizType', { bizType: '3' }, 1002],
    ['another action', { action: 'mt' }, 1002],
    ['a timestamp in seconds', { ts: '1700000000' }, 1004],
    ['a timestamp 60,001 ms off', { ts: '1700000060001' }, 1004],
    ['a timestamp 60,000 ms off', { ts: '1699999940000' }, 0],
    ['a wrong sign', { sign: '6e9506557d1f289501d333ee2c365826' }, 1003],
    ['another content type', { 'content-type': 'text/plain' }, 1003],
  ])('%s', async (_what, headers: Record<string, string>, code) => {
    const { call, typingBody, phone } = await conversation();
    expect((await call(TYPING, typingBody(SEED_ID), headers)).json()).toMatchObject({ code });
    expect(phone.intervals()).toHaveLength(code === 0 ? 1 : 0);
  });

  test('the sign is over the exact bytes', async () => {
    const { call, typingBody } = await conversation();
    const spaced = JSON.stringify(typingBody(SEED_ID), null, 1);
    expect((await call(TYPING, spaced)).json()).toMatchObject({ code: 0 });
  });

  test.each([
    ['appkey', 'other', 10003],
    ['business_phone', '1', 10003],
    ['appkey', undefined, 9000],
    ['status', 'typing', 9000],
    ['messaging_product', 'sms', 9000],
    ['message_id', 7, 9000],
  ])('a body whose %s is %s', async (field, value, code) => {
    const { call, typingBody } = await conversation();
    expect((await call(TYPING, { ...typingBody(SEED_ID), [field]: value })).json()).toMatchObject({ code });
  });

  test('a body that is no JSON object, a path that is none', async () => {
    const { call } = await conversation();
    expect((await call(TYPING, 'null')).json()).toMatchObject({ code: 9000 });
    expect((await call('/api/wa/sendMessage', {})).json()).toMatchObject({ code: 1002 });
  });
});

describe('the indicator', () => {
  test('shows for 25 s, and a message to the user takes it away', async () => {
    const { clock, typing, send, phone } = await conversation();
    await typing(SEED_ID);
    clock.pass(25_000);
    expect(phone.intervals()).toEqual([{ from: clock.now() - 25_000, to: clock.now() }]);
    await typing(SEED_ID);
    clock.pass(1_000);
    await send(USER, 'answer');
    expect(phone.ghost(clock.now())).toBe(0);
    expect(phone.marks.at(-1)).toMatchObject({ what: 'received', detail: 'answer', via: 'api' });
  });

  /** Calls at 0, 20 and 26 s for one message; at 30 s for a newer one. Lit seconds of the first 60. */
  test.each<[Rearm, number, string[]]>([
    ['refresh', 55, []],
    ['ignored-until-expiry', 54, ['the indicator still runs']],
    ['once-per-message', 50, ['this message has shown once', 'this message has shown once']],
  ])('re-arming by the hypothesis %s', async (rearm, litSeconds, wasted) => {
    const { clock, typing, phone, write } = await conversation({ rearm });
    const start = clock.now();
    await typing(SEED_ID);
    clock.pass(20_000);
    await typing(SEED_ID);
    clock.pass(6_000);
    await typing(SEED_ID);
    clock.pass(4_000);
    await write('wamid.newer');
    await typing('wamid.newer');
    clock.pass(30_000);
    expect(phone.cover(start, clock.now()) * 60).toBeCloseTo(litSeconds);
    expect(phone.marks.filter(({ what }) => what === 'wasted').map(({ detail }) => detail)).toEqual(wasted);
  });

  test('every typing call marks this and earlier messages read, once', async () => {
    const { typing, write, phone, call, typingBody } = await conversation();
    await write('wamid.2');
    await write('wamid.3');
    await typing('wamid.2');
    await typing('wamid.2');
    const { appkey: _appkey, typing_indicator: _indicator, ...read } = typingBody('wamid.3');
    expect((await call('/api/wa/markMessageAsRead', read)).json()).toEqual({
      code: 0,
      data: null,
      message: 'success',
    });
    const reads = phone.marks.filter(({ what }) => what === 'read').map(({ detail }) => detail);
    expect(reads).toEqual(['wamid.2', 'wamid.3']);
  });

  test('a day after the last message nothing is shown or taken', async () => {
    const { clock, typing, send } = await conversation();
    clock.pass(86_400_000);
    expect(errorCode((await typing(SEED_ID)).text)).toBe('131047.0');
    const sent = await send(USER, 'too late');
    expect(sent.json()).toMatchObject({ code: 9099, data: { error: { code: 131047 } } });
  });
});

describe('sending', () => {
  test('is answered with an id, and its statuses follow on the webhook', async () => {
    const { send, hook, nxcloud } = await conversation();
    const answer = await send(USER, 'answer', { cus_message_id: 'mine' });
    expect(answer.json()).toMatchObject({ code: 0, data: { messages: [{ id: 'mine' }] } });
    await expect.poll(() => hook.requests.length).toBe(3);
    const statuses = hook.requests.slice(1).map(({ body }): unknown => JSON.parse(body.toString()));
    const common = { id: 'mine', recipient_id: USER, timestamp: '1700000000' };
    expect(statuses).toMatchObject([
      { business_phone: nxcloud.options.businessPhone, statuses: [{ ...common, status: 'sent' }] },
      { statuses: [{ ...common, status: 'delivered' }] },
    ]);
  });

  test('statuses go to dr_webhook where the call names one', async () => {
    const { send, hook } = await conversation({ statuses: ['sent'] });
    const own = await webhook(() => Promise.resolve(OK));
    await send(USER, 'answer', { dr_webhook: own.url });
    await expect.poll(() => own.requests.length).toBe(1);
    expect(hook.requests).toHaveLength(1);
  });

  test.each([
    ['appkey', 'other', 9003],
    ['business_phone', '1', 9006],
    ['to', '', 9000],
    ['type', 'dance', 9000],
    ['text', {}, 9000],
  ])('a body whose %s is %j', async (field, value, code) => {
    const { send, phone } = await conversation();
    expect((await send(USER, 'answer', { [field]: value })).json()).toMatchObject({ code });
    expect(phone.marks.some(({ what }) => what === 'received')).toBe(false);
  });
});

const received = async (options: Partial<NxcloudOptions>, push: { user: string; anonymous?: boolean }) => {
  const hook = await webhook(() => Promise.resolve(OK));
  const { nxcloud } = await simulator({ nxcloud: { ...options, webhookUrl: hook.url } });
  const { id } = await nxcloud.push({ ...push, text: 'hello' });
  const [request] = hook.requests;
  const json: unknown = JSON.parse(request?.body.toString() ?? 'null');
  return { id, request, json };
};

describe('pushes', () => {
  test('hold the flat envelope', async () => {
    const { id, json } = await received({}, { user: USER });
    const businessPhone = NXCLOUD_DEFAULTS.businessPhone;
    expect(json).toMatchObject({
      messaging_product: 'whatsapp',
      business_phone: businessPhone,
      merchant_phone: businessPhone,
      contacts: [{ wa_id: USER }],
      messages: [
        {
          id,
          from: USER,
          timestamp: expect.stringMatching(/^\d{10}$/),
          type: 'text',
          text: { body: 'hello' },
        },
      ],
    });
  });

  test('in the old shape name the business as merchant only; anonymous users have no phone', async () => {
    const { json } = await received({ shape: 'old' }, { user: 'BSUID', anonymous: true });
    expect(json).not.toHaveProperty('business_phone');
    expect(json).toMatchObject({
      merchant_phone: NXCLOUD_DEFAULTS.businessPhone,
      contacts: [{ user_id: 'BSUID' }],
    });
    expect(json).not.toHaveProperty('messages.0.from');
  });

  test.each(['md5', 'sha256'] as const)(
    'are signed by %s where the app is configured so',
    async (callbacks) => {
      const { request } = await received({ callbacks }, { user: USER });
      const headers = new Map(request?.headers);
      const now = () => Number(headers.get('ts'));
      const options = { ...NXCLOUD_DEFAULTS, callbacks, now };
      const expected = callbackHeaders(options, { action: 'mo', body: request?.body.toString() ?? '' });
      expect(Object.fromEntries(headers)).toMatchObject(expected);
      expect(expected['sign']).toHaveLength(callbacks === 'md5' ? 32 : 64);
    },
  );

  test('are repeated byte for byte until taken, at most so many times', async () => {
    const busy: Reply = { status: 500, body: '' };
    const bodies: string[] = [];
    const handler = (request: Request, n: number) => {
      bodies.push(request.body.toString());
      return Promise.resolve(n < 3 ? busy : OK);
    };
    const hook = await webhook(handler);
    const rules = { retryMs: 5, retries: 2 };
    const { nxcloud } = await simulator({ nxcloud: { rules, webhookUrl: hook.url } });
    const pushed = await nxcloud.push({ user: USER, text: 'hello' });
    expect(pushed).toMatchObject({
      accepted: true,
      deliveries: [{ status: 500 }, { status: 500 }, { status: 200 }],
    });
    expect(new Set(bodies).size).toBe(1);
    const never = await webhook(() => Promise.resolve(busy));
    nxcloud.connect(never.url);
    const refused = await nxcloud.push({ user: USER, text: 'again' });
    expect([refused.accepted, refused.deliveries.length]).toEqual([false, 3]);
  });

  test('are given up when the simulator closes', async () => {
    const busy: Reply = { status: 500, body: '' };
    const hook = await webhook(() => Promise.resolve(busy));
    const { nxcloud } = await simulator({ nxcloud: { webhookUrl: hook.url } });
    const pushing = nxcloud.push({ user: USER, text: 'hello' });
    await expect.poll(() => hook.requests.length).toBe(1);
    await nxcloud.close();
    expect(await pushing).toMatchObject({ accepted: false, deliveries: [{}] });
  });

  test('any body can be pushed', async () => {
    const { nxcloud, hook } = await conversation();
    await nxcloud.pushBody('{"field":"account_update","value":{}}');
    await nxcloud.pushStatus({
      user: USER,
      id: 'x',
      status: 'failed',
      errors: [{ code: 1, meta_code: 2, title: 't' }],
    });
    expect(hook.requests[1]?.body.toString()).toBe('{"field":"account_update","value":{}}');
    expect(JSON.parse(hook.requests[2]?.body.toString() ?? '')).toMatchObject({
      statuses: [{ status: 'failed', errors: [{ meta_code: 2 }] }],
    });
  });

  test('a repeat is no second message', async () => {
    const { write, phone } = await conversation();
    await write(SEED_ID);
    expect(story(phone.marks)).toEqual(['sent hello']);
  });
});

test('a refused call is written down with the code that counts', async () => {
  const { typing, send, nxcloud } = await conversation();
  await typing('wamid.unknown');
  await typing(SEED_ID);
  await send(USER, 'answer');
  expect(nxcloud.calls.map(({ command, user, messageId, code }) => [command, user, messageId, code])).toEqual(
    [
      ['typing', null, 'wamid.unknown', 100],
      ['typing', USER, SEED_ID, 0],
      ['mt', USER, null, 0],
    ],
  );
  expect(details((await typing('')).text)).toBeUndefined();
});
