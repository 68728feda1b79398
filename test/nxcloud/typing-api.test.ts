import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headerOf, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { metaCodes, platformCodes } from '../../src/nxcloud/codes.ts';
import vectors from '../vectors/nxcloud.json' with { type: 'json' };
import { answer, createScene, start, type Step, wamid } from '../support/nxcloud.ts';

const target = { user: '8613320237446', messageId: wamid };
const success = answer('{\n"code": 0,\n"data": {\n"success": true\n},\n"message": "success"\n}');

/** The documentation's two error cases differ in `details` alone. */
function downstreamError(code: string, details = ''): string {
  return `{
"code": 0,
"data": {
"error": {
"code": ${code},
"message": "(#100) Invalid parameter",
"type": "OAuthException",
"fbtrace_id": "APoPA639oqWRwvF3dFSQsUz",
"error_data": {
"messaging_product": "whatsapp",
"details": "${details}"
}
}
},
"message": "success"
}`;
}

const refused = (code: number) => answer({ code, message: 'failure', data: null });
const metaRefused = (code: number) => answer(downstreamError(String(code)));

async function outcomeOf(...script: Step[]) {
  const scene = createScene(script);
  return { ...scene, outcome: await scene.platform.show(target) };
}

/** The signature that NXCloud would compute, from the request as it went out. */
function expectedSign(request: OutboundRequest, accessSecret = 'abciiiko2k3'): string {
  const [accessKey, action, bizType, ts] = ['accessKey', 'action', 'bizType', 'ts'].map((name) =>
    headerOf(request.headers, name),
  );
  const body = Buffer.from(request.body ?? '').toString('utf8');
  return createHash('md5')
    .update(
      `accessKey=${accessKey}&action=${action}&bizType=${bizType}&ts=${ts}&body=${body}&accessSecret=${accessSecret}`,
    )
    .digest('hex');
}

describe('the request', () => {
  test('is the documentation’s example, signed', async () => {
    const { requests, outcome } = await outcomeOf(success);
    expect(outcome).toEqual({ is: 'done' });
    const derived = vectors.derived.find(({ bizType }) => bizType === '2');
    expect(requests).toEqual([
      {
        method: 'POST',
        url: 'https://api2.nxcloud.com/api/wa/typingIndicator',
        headers: [
          ['accessKey', 'fme2na3kdi3ki'],
          ['ts', '1655710885431'],
          ['bizType', '2'],
          ['action', 'read'],
          ['sign', derived?.sign],
          ['Content-Type', 'application/json'],
        ],
        body: derived?.body,
        timeoutMs: 3000,
      },
    ]);
  });

  test('carries a signature over exactly the bytes sent, by the newest secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.string({ unit: 'grapheme' }),
        async (messageId, appKey) => {
          const scene = createScene([success], { appKey, accessSecrets: ['new', 'old'] });
          await scene.platform.show({ user: '1', messageId });
          const signatures = scene.requests.map(({ headers }) => headerOf(headers, 'sign'));
          expect(signatures).toEqual(scene.requests.map((request) => expectedSign(request, 'new')));
          expect(signatures).toHaveLength(1);
        },
      ),
    );
  });

  test('goes to the configured base, with or without a slash at its end', async () => {
    const scene = createScene([success], { apiBase: 'http://localhost:8080/nx/' });
    await scene.platform.show(target);
    expect(scene.requests[0]?.url).toBe('http://localhost:8080/nx/api/wa/typingIndicator');
  });

  test('names the push’s business phone where the account has none', async () => {
    const scene = createScene([success], { businessPhone: null });
    await scene.platform.show({ ...target, messageId: `${wamid}@8612345` });
    expect(scene.requests[0]?.body).toContain('"business_phone":"8612345"');
    expect(scene.requests[0]?.body).toContain(`"message_id":"${wamid}"`);
  });

  test('names the account’s phone first, also for an id from before it was configured', async () => {
    const scene = createScene([success]);
    await scene.platform.show({ ...target, messageId: `${wamid}@8612345` });
    expect(scene.requests[0]?.body).toContain('"business_phone":"8615800001795"');
    expect(scene.requests[0]?.body).toContain(`"message_id":"${wamid}"`);
  });

  test('is not made without a message id, nor without a business phone', async () => {
    const scene = createScene();
    expect(await scene.platform.show({ user: '1', messageId: null })).toEqual({
      is: 'message-refused',
      code: 0,
    });
    const phoneless = createScene([], { businessPhone: null });
    expect(await phoneless.platform.show(target)).toEqual({ is: 'message-refused', code: 0 });
    expect([...scene.requests, ...phoneless.requests]).toEqual([]);
    expect(phoneless.lines).toMatchObject([
      { level: 'warn', message: expect.stringContaining('NXCLOUD_BUSINESS_PHONE') },
    ]);
  });
});

describe('the documentation’s answers', () => {
  test('error case 1: an unknown message id', async () => {
    const { outcome, requests } = await outcomeOf(
      answer(downstreamError('100.0', 'Please check the message ID you have provided.')),
    );
    expect(outcome).toEqual({ is: 'message-refused', code: 100 });
    expect(requests).toHaveLength(1);
  });

  test('error case 2: an outgoing message id', async () => {
    const details = `Message supplied to mark message as read API with message ID: ${wamid} is outgoing. Please use an incoming message ID.`;
    const { outcome } = await outcomeOf(answer(downstreamError('100.0', details)));
    expect(outcome).toEqual({ is: 'message-refused', code: 100 });
  });

  test('invalid parameters are our bug, and said loudly', async () => {
    const { outcome, lines } = await outcomeOf(
      answer(
        '{\n"code": 9000,\n"data": null,\n"message": "Invalid parameter (typing_indicator.type must be \'text\')"\n}',
      ),
    );
    expect(outcome).toEqual({ is: 'failed', code: 9000, bug: true });
    expect(lines).toMatchObject([{ level: 'error', fields: { account: 'sales', code: 9000 } }]);
  });

  test('a system failure is tried once more', async () => {
    const failure = answer('{\n"code": -1,\n"message": "failure",\n"data": null\n}');
    expect((await outcomeOf(failure, success)).outcome).toEqual({ is: 'done' });
    expect((await outcomeOf(failure, failure)).outcome).toEqual({ is: 'failed', code: -1 });
  });
});

describe('success', () => {
  test.each([
    { code: 0 },
    { code: 0, data: null },
    { code: 0, data: { error: null } },
    { code: '0', data: {}, traceId: 'x' },
  ])('is %j', async (body) => {
    expect((await outcomeOf(answer(body))).outcome).toEqual({ is: 'done' });
  });

  test.each([
    { error: {} },
    { error: 'no' },
    { error: { code: null } },
    { error: { code: 1.5 } },
    { error: 0 },
  ])('is not code 0 with data %j', async (data) => {
    expect((await outcomeOf(answer({ code: 0, data }))).outcome).toEqual({ is: 'failed', code: 9099 });
  });

  test('is not code 0 under an HTTP error', async () => {
    expect((await outcomeOf(answer({ code: 0 }, 403))).outcome).toMatchObject({ is: 'lost', begun: true });
  });
});

function pairs(table: Record<string, number[]>): { is: string; code: number }[] {
  return Object.entries(table).flatMap(([is, codes]) => codes.map((code) => ({ is, code })));
}

function codesOf(entries: readonly { code: number }[]): number[] {
  return entries.map(({ code }) => code);
}

describe('every known code', () => {
  const outcomes = {
    'account-off': { platform: [1000, 1001, 1002, 1003, 1005, 1006, 9002, 9003, 9004, 9005, 9006, 10_003] },
    failed: { platform: [-1, 9000, 9001, 9007, 9099, 4711] },
  };
  const meta = {
    'message-refused': [100, 33, 130_472, 131_008, 131_009, 131_021, 131_026],
    'window-closed': [131_047],
    'user-back-off': [131_056],
    'account-back-off': [4, 80_007, 130_429, 131_048],
    'account-off': [0, 190, 3, 10, 200, 250, 299, 368, 131_031, 130_497],
    failed: [1, 2, 131_000, 131_016, 131_057, 133_004, 133_005, 300, 4711],
  };

  test.each(pairs({ 'account-off': outcomes['account-off'].platform, failed: outcomes.failed.platform }))(
    'of NXCloud: $code is $is',
    async ({ is, code }) => {
      expect((await outcomeOf(refused(code), refused(code))).outcome).toMatchObject({ is, code });
    },
  );

  test.each(pairs(meta))('of Meta: $code is $is, in whatever code it is wrapped', async ({ is, code }) => {
    const plain = metaRefused(code);
    expect((await outcomeOf(plain, plain)).outcome).toMatchObject({ is, code });
    const wrapped = answer({ code: 9099, data: { error: { code: String(code) } } });
    expect((await outcomeOf(wrapped, wrapped)).outcome).toMatchObject({ is, code });
  });

  test('is tested here', () => {
    const tested = pairs(meta).map(({ code }) => code);
    expect(codesOf(metaCodes).filter((code) => !tested.includes(code))).toEqual([]);
    const platformTested = Object.values(outcomes).flatMap(({ platform }) => platform);
    expect(codesOf(platformCodes).filter((code) => !platformTested.includes(code))).toEqual([1004]);
  });

  test('that switches the account off has a remedy of one sentence', () => {
    const remedies = [...platformCodes, ...metaCodes].flatMap((known) =>
      known.means === 'account' ? [known.remedy] : [],
    );
    expect(remedies.filter((remedy) => !/^[A-Z].{20,}[a-z)]\.$/.test(remedy))).toEqual([]);
  });

  test('that asks for a rest says for how long', async () => {
    expect((await outcomeOf(metaRefused(131_056))).outcome).toMatchObject({ forMs: 10_000 });
    expect((await outcomeOf(metaRefused(130_429))).outcome).toMatchObject({ forMs: 30_000 });
  });
});

describe('a retry', () => {
  const unbegun = new NoAnswer('connect ECONNREFUSED', { begun: false });
  const timedOut = new NoAnswer('timeout', { begun: true });

  test.each([
    ['-1', refused(-1)],
    ['9001', refused(9001)],
    ['a transient code of Meta', metaRefused(131_016)],
    ['502', answer('<html>Bad gateway</html>', 502)],
    ['a refused connection', unbegun],
  ])('is made once after %s, newly signed', async (_what, step) => {
    const { outcome, requests } = await outcomeOf(step, success);
    expect(outcome).toEqual({ is: 'done' });
    const [first, second] = requests;
    expect(second?.body).toBe(first?.body);
    expect(requests.map(({ headers }) => headerOf(headers, 'ts'))).toEqual([
      String(start),
      String(start + 10),
    ]);
    expect(requests.map(({ headers }) => headerOf(headers, 'sign'))).toEqual(
      requests.map((request) => expectedSign(request)),
    );
  });

  test.each([
    ['a timeout', timedOut],
    ['an error of unknown kind', new TypeError('broken')],
    ['a code that is no passing trouble', refused(1003)],
    ['an unknown code', refused(4711)],
    ['a rate limit', metaRefused(131_056)],
    ['a page instead of JSON', answer('<html>', 200)],
    ['a redirect', answer('', 302)],
  ])('is not made after %s', async (_what, step) => {
    expect((await outcomeOf(step)).requests).toHaveLength(1);
  });

  test('is not made a second time', async () => {
    const { outcome, requests } = await outcomeOf(unbegun, unbegun);
    expect(outcome).toEqual({ is: 'lost', begun: false, cause: 'connect ECONNREFUSED' });
    expect(requests).toHaveLength(2);
  });

  test('has what is left of the 3 s, and is not begun where it could land after a message that has waited', async () => {
    const soon = await outcomeOf({ takes: 300, gives: refused(-1) }, success);
    expect(soon.requests.map(({ timeoutMs }) => timeoutMs)).toEqual([3000, 2700]);
    const late = await outcomeOf({ takes: 301, gives: refused(-1) });
    expect(late.requests).toHaveLength(1);
    expect(late.outcome).toEqual({ is: 'failed', code: -1 });
  });

  test('has no more than 3 s when the clock was set back meanwhile', async () => {
    const { requests } = await outcomeOf({ takes: -60_000, gives: refused(-1) }, success);
    expect(requests.map(({ timeoutMs }) => timeoutMs)).toEqual([3000, 3000]);
  });
});

describe('no answer', () => {
  test.each([
    ['a timeout', new NoAnswer('timeout', { begun: true }), 'timeout'],
    ['an error of unknown kind', new TypeError('broken'), 'broken'],
    ['a page', answer('<html>', 200), "HTTP 200 without NXCloud's answer"],
    ['JSON without a code', answer({ data: {} }, 404), "HTTP 404 without NXCloud's answer"],
  ])('after %s: the call may have been carried out', async (_what, step, cause) => {
    expect((await outcomeOf(step)).outcome).toEqual({ is: 'lost', begun: true, cause });
  });

  test('after two server errors: the call may have been carried out', async () => {
    const { outcome } = await outcomeOf(answer('', 500), answer('', 503));
    expect(outcome).toMatchObject({ is: 'lost', begun: true });
  });

  test('but HTTP 429: the account rests', async () => {
    const { outcome } = await outcomeOf(answer('slow down', 429));
    expect(outcome).toEqual({ is: 'account-back-off', code: 429, forMs: 30_000 });
  });
});

describe('an expired timestamp', () => {
  const expired = answer({ code: 1004, message: 'x', data: null }, 200, [
    ['Date', new Date(start - 90_000).toUTCString()],
  ]);

  test('is signed anew, and the clock’s drift is said', async () => {
    const { outcome, requests, lines } = await outcomeOf(expired, success);
    expect(outcome).toEqual({ is: 'done' });
    expect(headerOf(requests[1]?.headers ?? [], 'ts')).toBe(String(start + 10));
    // The Date header has whole seconds: 431 ms are cut off there; the call took 10 ms.
    expect(lines).toMatchObject([{ level: 'warn', fields: { account: 'sales', driftMs: 90_441 } }]);
  });

  test('twice in a row switches the account off until the clock is set', async () => {
    const { outcome } = await outcomeOf(expired, expired);
    expect(outcome).toEqual({ is: 'account-off', code: 1004, remedy: expect.stringContaining('clock') });
  });

  test('after another trouble is not yet the clock', async () => {
    expect((await outcomeOf(refused(-1), expired)).outcome).toEqual({ is: 'failed', code: 1004 });
  });

  test('without a Date header has an unknown drift', async () => {
    const { lines } = await outcomeOf(refused(1004), success);
    expect(lines).toMatchObject([{ fields: { driftMs: null } }]);
  });
});

test('no line of the log holds a secret, the app key or a message id', async () => {
  const steps = [refused(1004), refused(9000)];
  const { lines } = await outcomeOf(...steps);
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toMatch(/abciiiko2k3|fme2na3kdi3ki|xxx|wamid/);
});
