import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sign } from '../../src/nxcloud/signature.ts';
import { nxcloudRules } from '../../src/nxcloud/rules.ts';
import { nxcloudAccount as account } from '../support/accounts.ts';
import { createScene, envelope, pushOf, textMessage } from '../support/nxcloud.ts';

async function keyOf(body: unknown): Promise<string> {
  const received = await createScene().platform.receive(pushOf(body));
  return received.is === 'push' ? received.key : `not a push: ${received.is}`;
}

function nameless(body: string): object {
  return envelope({ messages: [textMessage(), { from: '1', id: 7.5, text: { body } }] });
}

describe('the push’s key', () => {
  const one = textMessage({ id: 'wamid.1' });
  const two = textMessage({ id: 'wamid.2' });

  test('is 64 hex digits', async () => {
    expect(await keyOf(envelope({ messages: [one] }))).toMatch(/^[0-9a-f]{64}$/);
    expect(await keyOf({})).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is the same for a repeat, in whatever order and with whatever new extras it comes', async () => {
    const key = await keyOf(envelope({ messages: [one, two] }));
    expect(await keyOf(envelope({ messages: [two, one], tag_name: 'new' }))).toBe(key);
  });

  test('differs between messages, and between statuses beside them', async () => {
    const status = { id: 'wamid.s', status: 'sent', recipient_id: '1' };
    const keys = await Promise.all([
      keyOf(envelope({ messages: [one] })),
      keyOf(envelope({ messages: [two] })),
      keyOf(envelope({ messages: [one, two] })),
      keyOf(envelope({ messages: [one], statuses: [status] })),
      keyOf(envelope({ messages: [one], statuses: [{ ...status, status: 'read' }] })),
      keyOf(envelope({ statuses: [status] })),
      keyOf(envelope({ statuses: [{ ...status, status: 'read' }] })),
    ]);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('goes by the bytes where a message has no readable id, so that no message is taken for a repeat', async () => {
    expect(await keyOf(nameless('a'))).not.toBe(await keyOf(nameless('b')));
    expect(await keyOf(nameless('a'))).toBe(await keyOf(nameless('a')));
  });
});

describe('receive', () => {
  test('checks the signature before it reads the body', async () => {
    const { platform } = createScene([], { verifyCallbacks: 'require' });
    expect(await platform.receive(pushOf('{'))).toMatchObject({ is: 'refusal', status: 401 });
  });

  test('takes a signed push', async () => {
    const body = JSON.stringify(envelope({ messages: [textMessage({ text: { body: '牛小信' } })] }));
    const common = { accessKey: account.accessKey, action: 'mo', bizType: '2', ts: '1655710885431' };
    const signature = sign(common, body, { accessSecret: 'abciiiko2k3', algorithm: 'sha256' });
    const headers = Object.entries({ ...common, algorithm: 'sha256', sign: signature });
    const { platform } = createScene([], { verifyCallbacks: 'require' });
    expect(await platform.receive(pushOf(body, headers))).toMatchObject({
      is: 'push',
      happenings: [{ is: 'inbound' }],
    });
  });

  test('never throws on bytes', async () => {
    const { platform } = createScene();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (body) => {
        expect(['push', 'refusal', 'stranger']).toContain(
          (await platform.receive({ ...pushOf(''), body })).is,
        );
      }),
    );
  });

  test('never throws on JSON, and every key it gives can be a job id', async () => {
    const { platform } = createScene([], { businessPhone: null });
    const anything = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' });
    const entry = fc.oneof(
      anything,
      fc.record({ from: anything, id: fc.oneof(fc.string(), anything), type: anything, timestamp: anything }),
    );
    const entries = fc.oneof(anything, fc.array(entry, { maxLength: 4 }));
    const body = fc.record(
      {
        messages: entries,
        statuses: entries,
        contacts: entries,
        metadata: anything,
        business_phone: anything,
        field: fc.oneof(anything, fc.constant('smb_message_echoes')),
        value: fc.oneof(anything, fc.record({ message_echoes: entries })),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, body), async (value) => {
        const received = await platform.receive(pushOf(JSON.stringify(value)));
        const happenings = received.is === 'push' ? received.happenings : [];
        const keys = happenings.map((happening) => (happening.is === 'inbound' ? happening.key : 'none'));
        expect(keys.filter((key) => key.includes(':') || key.length > 200 || key === '')).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('createNxcloud', () => {
  test('has what WhatsApp can do and nothing else', () => {
    const { platform } = createScene();
    expect(platform).toMatchObject({ channel: 'nxcloud', account: 'sales', rules: nxcloudRules });
    for (const missing of ['hide', 'sendLate', 'handshake']) expect(platform).not.toHaveProperty(missing);
  });

  test('acknowledges with an empty object, and takes every bot’s answer for no more', async () => {
    const { platform } = createScene();
    expect(new TextDecoder().decode(platform.acknowledgement.body)).toBe('{}');
    expect(platform.acknowledgement).toMatchObject({
      status: 200,
      headers: [['Content-Type', 'application/json']],
    });
    const message = { to: '8613320237446', type: 'text', text: { body: 'hi' } };
    for (const body of ['\u0001', '{}', 'success', JSON.stringify(message), '{"X-Typing":"none"}']) {
      const answer = { status: 200, headers: [], body: new TextEncoder().encode(body) };
      expect(await platform.readAnswer(answer)).toEqual({ is: 'acknowledgement' });
    }
  });

  test('lets the account override every number', () => {
    const { rules } = createScene([], { rules: { lifetime: 250, mode: 'once' } }).platform;
    expect(rules).toEqual({ ...nxcloudRules, lifetime: 250, mode: 'once' });
  });

  test('follows the account’s choice after an acknowledgement', () => {
    expect(createScene().platform.rules.afterAck).toBe('renew');
    expect(createScene([], { afterAck: 'keep' }).platform.rules.afterAck).toBe('keep');
  });

  test('refuses an account without a secret, by name', () => {
    expect(() => createScene([], { accessSecrets: [] })).toThrow(/"sales": accessSecret is missing/);
  });
});

test('however many accounts look at one push, its bytes are read a few times', async () => {
  let reads = 0;
  const { body, ...rest } = pushOf(envelope({ messages: [textMessage()] }), [
    ['accesskey', 'a'],
    ['action', 'b'],
    ['biztype', '1'],
    ['ts', '1'],
    ['sign', '0'.repeat(32)],
  ]);
  const push = {
    ...rest,
    get body() {
      reads += 1;
      return body;
    },
  };
  const all = Array.from({ length: 50 }, (_, n) => createScene([], { accessSecrets: [`secret-${n}`] }));
  for (const { platform } of all) {
    expect(platform.marks?.(push)).toBe(1);
    expect(await platform.receive(push)).toMatchObject({ status: 401 });
  }
  expect(reads).toBeLessThan(5);
});
