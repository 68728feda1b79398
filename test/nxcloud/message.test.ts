import { describe, expect, test } from 'vitest';
import { joinMessageId, splitMessageId } from '../../src/nxcloud/message.ts';
import { createScene, envelope, happeningsOf, pushOf, textMessage, wamid } from '../support/nxcloud.ts';

const user = '8613320237446';
const bsuid = 'CN.13491208655302741918';

describe('messages', () => {
  test('a text message opens a turn', async () => {
    const body = envelope({
      contacts: [{ wa_id: user, profile: { name: 'Jay' } }],
      messages: [textMessage()],
    });
    expect(await happeningsOf(body)).toEqual([
      {
        is: 'inbound',
        user,
        key: wamid,
        messageId: wamid,
        type: 'text',
        sentAt: 1_735_470_750,
        opensTurn: true,
        interaction: true,
      },
    ]);
  });

  test.each(
    'text image video voice audio document location sticker button interactive order referral contacts'.split(
      ' ',
    ),
  )('%s opens a turn', async (type) => {
    const [happening] = await happeningsOf(envelope({ messages: [textMessage({ type })] }));
    expect(happening).toMatchObject({ type, opensTurn: true, interaction: true });
  });

  test.each(['reaction', 'unsupported', 'unknown', 'tomorrows_type', 'constructor', '__proto__'])(
    '%s opens none, but is the user’s',
    async (type) => {
      const [happening] = await happeningsOf(envelope({ messages: [textMessage({ type })] }));
      expect(happening).toMatchObject({ type, opensTurn: false, interaction: true });
    },
  );

  test('a system message is nobody’s interaction', async () => {
    const [happening] = await happeningsOf(envelope({ messages: [textMessage({ type: 'system' })] }));
    expect(happening).toMatchObject({ opensTurn: false, interaction: false });
  });

  test('the account says which types start typing', async () => {
    const messages = [textMessage({ type: 'reaction' }), textMessage({ type: 'text' })];
    const starts = { Reaction: true, text: false };
    expect(await happeningsOf(envelope({ messages }), { starts })).toMatchObject([
      { type: 'reaction', opensTurn: true },
      { type: 'text', opensTurn: false },
    ]);
  });

  test.each([[undefined], [7], [{}], ['two words'], ['x'.repeat(41)]])(
    'type %j is unknown',
    async (type: unknown) => {
      const [happening] = await happeningsOf(envelope({ messages: [textMessage({ type })] }));
      expect(happening).toMatchObject({ type: 'unknown', opensTurn: false });
    },
  );

  test.each([
    ['1735470750', 1_735_470_750],
    [1_735_470_750, 1_735_470_750],
    ['1735470750000', 0],
    ['-1', 0],
    ['soon', 0],
    [1.5, 0],
    [null, 0],
    [undefined, 0],
  ])('timestamp %j is second %i', async (timestamp, sentAt) => {
    const [happening] = await happeningsOf(envelope({ messages: [textMessage({ timestamp })] }));
    expect(happening).toMatchObject({ sentAt });
  });

  test('an id of the old kind is a key as it is; one with ":" or too long becomes its digest', async () => {
    const ids = ['ABGHhhdgZQFAgKDGhAQKhlRSb2U=', 'a:b', 'x'.repeat(200), 'x'.repeat(201), '\ud800'];
    const happenings = await happeningsOf(envelope({ messages: ids.map((id) => textMessage({ id })) }));
    expect(happenings).toMatchObject([
      { key: ids[0], messageId: ids[0] },
      { key: expect.stringMatching(/^[0-9a-f]{64}$/), messageId: 'a:b' },
      { key: ids[2] },
      { key: expect.stringMatching(/^[0-9a-f]{64}$/), messageId: ids[3] },
      { key: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
  });

  test.each([
    ['id is a fraction', { id: 7.5 }],
    ['id is missing', { id: undefined }],
    ['id is empty', { id: '' }],
    ['id is endless', { id: 'x'.repeat(1025) }],
    ['from is a truth', { from: true }],
    ['from is an object', { from: { wa_id: user } }],
  ])('a message whose %s is ignored, the others are not', async (_what, fields) => {
    const messages = [textMessage(fields), textMessage({ id: 'wamid.other' })];
    const happenings = await happeningsOf(envelope({ contacts: [{ wa_id: user }], messages }));
    expect(happenings).toMatchObject([{ key: 'wamid.other' }]);
  });
});

test('ids are read where they are numbers, however long', async () => {
  const message = JSON.stringify(textMessage({ id: 'ID', from: 8_613_320_237_446 }));
  const body = `{"messages":[${message.replace('"ID"', '24180351648420683')}]}`;
  expect(await happeningsOf(body)).toMatchObject([{ user, key: '24180351648420683' }]);
});

/** Meta documents no typing in groups, and their messages answer nobody's private one. */
describe('groups', () => {
  test('a message in one opens no turn, of nobody', async () => {
    const messages = [textMessage({ group_id: 'R3JvdXAx' }), textMessage({ id: 'wamid.own', group_id: '' })];
    expect(await happeningsOf(envelope({ messages }))).toMatchObject([{ user, key: 'wamid.own' }]);
  });

  test('nor does what is sent to one end any', async () => {
    const statuses = [status({ recipient_type: 'group', recipient_id: 'R3JvdXAx' })];
    expect(await happeningsOf(envelope({ statuses }))).toEqual([]);
    const message_echoes = [{ to: 'R3JvdXAx', recipient_type: 'group', id: 'wamid.1', type: 'text' }];
    expect(await happeningsOf({ field: 'smb_message_echoes', value: { message_echoes } })).toEqual([]);
  });
});

/** https://www.dualhook.com/docs/contacts-bsuid-webhooks */
describe('names', () => {
  test.each([
    [{ from: user, from_user_id: bsuid }, [], [bsuid]],
    [{ from: user }, [{ wa_id: user, user_id: bsuid, parent_user_id: 'P.1' }], [bsuid, 'P.1']],
    [{ from: undefined, from_user_id: bsuid }, [{ wa_id: user, user_id: bsuid }], [bsuid]],
    [{ from: user, from_user_id: bsuid }, [{ wa_id: '8613', user_id: bsuid }], [bsuid, '8613']],
    // Somebody else's.
    [{ from: user }, [{ wa_id: '8613', user_id: bsuid }], undefined],
    [{ from: user }, [{ wa_id: '8613' }, { wa_id: user, user_id: bsuid }], [bsuid]],
  ])('of a message %j with the contacts %j', async (fields, contacts, names) => {
    const [happening] = await happeningsOf(envelope({ contacts, messages: [textMessage(fields)] }));
    expect(happening?.user).toBe(user);
    expect(happening?.names).toEqual(names);
  });

  test('of a status', async () => {
    const named = { recipient_user_id: bsuid, parent_recipient_user_id: 'P.1' };
    const [happening] = await happeningsOf(envelope({ statuses: [status(named)] }));
    expect(happening).toMatchObject({ user, names: [bsuid, 'P.1'] });
  });

  /** https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system/ */
  test('of whoever has changed the number: the new ones first', async () => {
    const system = { type: 'user_changed_number', wa_id: '86139', user_id: 'CN.2', previous_user_id: bsuid };
    const [happening] = await happeningsOf(envelope({ messages: [textMessage({ type: 'system', system })] }));
    expect(happening).toMatchObject({ user: '86139', names: ['CN.2', bsuid, user] });
  });
});

/** Parsers of real ones: previous id in `system.body` alone, no `from`; `user_id_update` beside the messages. */
describe('a changed id', () => {
  test.each([
    [
      { wa_id: user, user_id: 'CN.2', body: `User A changed from B to C changed from ${bsuid} to CN.2` },
      user,
    ],
    [{ user_id: 'CN.2', body: `User A changed from ${bsuid} to CN.2.` }, 'CN.2'],
    [{ user_id: 'CN.2', previous_user_id: bsuid }, 'CN.2'],
  ])('is told by a system message: %j', async (system, name) => {
    const message = textMessage({ type: 'system', from: undefined, system });
    const [happening] = await happeningsOf(envelope({ messages: [message] }));
    expect([happening?.user, ...(happening?.names ?? [])]).toEqual([...new Set([name, 'CN.2', bsuid])]);
  });

  test('is told by a push of its own', async () => {
    const user_id_update = [{ wa_id: user, user_id: { previous: bsuid, current: 'CN.2' }, timestamp: '1' }];
    for (const body of [envelope({ user_id_update }), { field: 'user_id_update', value: { user_id_update } }])
      expect(await happeningsOf(body)).toMatchObject([
        { is: 'inbound', user, names: ['CN.2', bsuid], opensTurn: false, interaction: false },
      ]);
  });

  test('names nobody whom only a profile names', async () => {
    const system = { user_id: 'CN.2', body: 'User changed from here to there' };
    const message = textMessage({ type: 'system', from: undefined, system });
    expect((await happeningsOf(envelope({ messages: [message] })))[0]).not.toHaveProperty('names');
  });
});

describe('users', () => {
  test('are named by "from", without its plus sign', async () => {
    const [happening] = await happeningsOf(envelope({ messages: [textMessage({ from: `+${user}` })] }));
    expect(happening).toMatchObject({ user });
  });

  test.each([undefined, null, ''])('with "from" %j are found by their BSUID in the message', async (from) => {
    for (const field of ['from_user_id', 'user_id']) {
      const messages = [textMessage({ from, [field]: bsuid })];
      expect(await happeningsOf(envelope({ messages }))).toMatchObject([{ user: bsuid }]);
    }
  });

  test('without any name in the message are the one contact', async () => {
    const messages = [textMessage({ from: undefined })];
    const phone = envelope({ contacts: [{ wa_id: user, user_id: bsuid }], messages });
    expect(await happeningsOf(phone)).toMatchObject([{ user }]);
    const anonymous = envelope({ contacts: [{ wa_id: '', user_id: bsuid }], messages });
    expect(await happeningsOf(anonymous)).toMatchObject([{ user: bsuid }]);
  });

  test('are not guessed from several contacts, or from none', async () => {
    const messages = [textMessage({ from: undefined })];
    const contacts = [{ user_id: bsuid }, { user_id: 'CN.2' }];
    expect(await happeningsOf(envelope({ contacts, messages }))).toEqual([]);
    expect(await happeningsOf(envelope({ messages }))).toEqual([]);
  });
});

function status(rest: object = {}): object {
  return {
    id: 'wamid.edcf691d49c04b939c8e3331f07f9cd1',
    status: 'sent',
    timestamp: '1660019986',
    recipient_id: user,
    conversation: { id: 'x', expiration_timestamp: '1660106400', origin: { type: 'service' } },
    pricing: {},
    costs: [{ currency: 'USD', price: 0, cdr_type: 7, message_id: 'x', direction: 1 }],
    ...rest,
  };
}

describe('statuses', () => {
  test('"sent" says that a message went out', async () => {
    expect(await happeningsOf(envelope({ statuses: [status()] }))).toEqual([
      {
        is: 'evidence',
        user,
        evidence: 'status',
        sentAt: 1_660_019_986,
        messageId: 'wamid.edcf691d49c04b939c8e3331f07f9cd1',
        slack: 2,
      },
    ]);
  });

  test.each(['deleted', 'SENT', 1, null])('%j says nothing', async (word) => {
    expect(await happeningsOf(envelope({ statuses: [status({ status: word })] }))).toEqual([]);
  });

  test.each(['delivered', 'read'])('"%s" says so too, if it is later than the message', async (word) => {
    const body = envelope({ statuses: [status({ status: word })] });
    expect(await happeningsOf(body)).toMatchObject([{ is: 'evidence', user, slack: -1 }]);
  });

  test('"failed" says that the user saw nothing', async () => {
    expect(await happeningsOf(envelope({ statuses: [status({ status: 'failed' })] }))).toEqual([
      {
        is: 'failed',
        user,
        sentAt: 1_660_019_986,
        messageId: 'wamid.edcf691d49c04b939c8e3331f07f9cd1',
      },
    ]);
  });

  /** Campaigns go out whoever waits: chatwoot/chatwoot#13932 */
  test.each([
    { pricing: { category: 'marketing' } },
    { pricing: { category: 'UTILITY' } },
    { pricing: { category: 'marketing_lite' } },
    { conversation: { id: 'c', origin: { type: 'marketing' } } },
  ])(
    'of a template by others says nothing, where the account does not say that it answers: %j',
    async (of) => {
      const body = envelope({ statuses: [status(of)] });
      const messageId = 'wamid.edcf691d49c04b939c8e3331f07f9cd1';
      expect(await happeningsOf(body)).toEqual([{ is: 'aside', user, messageId }]);
      expect(await happeningsOf(body, { templates: 'answer' })).toMatchObject([{ evidence: 'status' }]);
    },
  );

  test.each([{ pricing: { category: 'service' } }, { pricing: 'marketing' }, { conversation: null }])(
    'of any other says that a message went out: %j',
    async (of) => {
      expect(await happeningsOf(envelope({ statuses: [status(of)] }))).toHaveLength(1);
    },
  );

  test('of an anonymous user names the one contact', async () => {
    const body = envelope({ contacts: [{ user_id: bsuid }], statuses: [status({ recipient_id: '' })] });
    expect(await happeningsOf(body)).toMatchObject([{ evidence: 'status', user: bsuid }]);
  });

  test('alone at the top level, without a business phone, are accepted', async () => {
    expect(await happeningsOf({ statuses: [status()] })).toMatchObject([{ evidence: 'status' }]);
  });

  test('and messages may stand in one body, several of each', async () => {
    const body = envelope({
      messages: [textMessage({ id: 'wamid.1' }), textMessage({ id: 'wamid.2' })],
      statuses: [status(), status({ status: 'deleted' }), status({ recipient_id: '1' })],
    });
    expect(await happeningsOf(body)).toMatchObject([
      { key: 'wamid.1' },
      { key: 'wamid.2' },
      { evidence: 'status', user },
      { evidence: 'status', user: '1' },
    ]);
  });
});

describe('other bodies', () => {
  test('each echo of the phone app says that a human answered', async () => {
    const message_echoes = [
      { from: '8615800001795', to: user, id: 'wamid.1', timestamp: '1735470750', type: 'text' },
      { from: '8615800001795', to_user_id: bsuid, id: 'wamid.2', timestamp: 1_735_470_751 },
      { from: '8615800001795', id: 'wamid.3' },
      { from: '8615800001795', recipient_user_id: bsuid, id: 'wamid.4', timestamp: 1_735_470_751 },
    ];
    const body = {
      field: 'smb_message_echoes',
      value: { business_phone: '8615800001795', wabaId: '1', message_echoes },
    };
    expect(await happeningsOf(body)).toEqual([
      { is: 'evidence', user, evidence: 'echo', sentAt: 1_735_470_750, messageId: 'wamid.1' },
      { is: 'evidence', user: bsuid, evidence: 'echo', sentAt: 1_735_470_751, messageId: 'wamid.2' },
      { is: 'evidence', user: bsuid, evidence: 'echo', sentAt: 1_735_470_751, messageId: 'wamid.4' },
    ]);
  });

  test('echoes are read at the top level too', async () => {
    const message_echoes = [{ to: user, id: 'wamid.1', timestamp: '1735470750', type: 'text' }];
    for (const body of [envelope({ message_echoes }), { field: 'smb_message_echoes', message_echoes }])
      expect(await happeningsOf(body)).toMatchObject([{ user, evidence: 'echo' }]);
  });

  /** Meta's page on echoes: they speak of an older message. */
  test.each(['edit', 'revoke', 'reaction'])('an echo of type %s is no answer', async (type) => {
    const message_echoes = [{ to: user, id: 'wamid.1', timestamp: '1735470750', type }];
    const body = { field: 'smb_message_echoes', value: { message_echoes } };
    expect(await happeningsOf(body)).toEqual([{ is: 'aside', user, messageId: 'wamid.1' }]);
  });

  test.each([
    ['a template update', { field: 'message_template_status_update', value: { event: 'APPROVED' } }],
    ['a history', { field: 'history', value: { message_echoes: [{ to: user }], messages: [textMessage()] } }],
    ['a call record', envelope({ calls: [{ id: 'wacid.1', from: user, event: 'connect' }] })],
    ['an object of unknown shape', { hello: 'world' }],
    ['an empty object', {}],
    ['Meta’s own envelope', { object: 'whatsapp_business_account', entry: [{ changes: [] }] }],
    ['objects where lists belong', envelope({ messages: textMessage(), statuses: {}, contacts: 1 })],
    ['things that are no objects in lists', envelope({ messages: [null, 1, 'x', [textMessage()]] })],
    ['a poisoned prototype', '{"__proto__":{"messages":[{"from":"1","id":"x","type":"text"}]}}'],
  ])('%s is taken and says nothing', async (_what, body) => {
    expect(await happeningsOf(body)).toEqual([]);
    expect(Object.prototype).not.toHaveProperty('messages');
  });

  test.each(['', '{', 'null', '7', '"text"', '[]', 'true', '\u0000', '['.repeat(100_000)])(
    '%.20j is refused',
    async (body) => {
      expect(await createScene().platform.receive(pushOf(body))).toEqual({
        is: 'refusal',
        status: 400,
        error: expect.stringMatching(/^The body is not a JSON object.*\.$/),
      });
    },
  );
});

describe('business phone', () => {
  test.each([
    ['business_phone', { business_phone: '8615800001795', merchant_phone: '1' }],
    ['merchant_phone, as in old bodies', { merchant_phone: '8615800001795' }],
    ['metadata', { metadata: { display_phone_number: '+86 158-0000-1795' } }],
    ['a number', { business_phone: 8_615_800_001_795 }],
    ['the value of a field', { field: 'x', value: { business_phone: '8615800001795' } }],
    [
      'the metadata inside such a value',
      { field: 'x', value: { metadata: { display_phone_number: '8615800001795' } } },
    ],
  ])('is found in %s', async (_where, phones) => {
    const messages = [textMessage()];
    expect(await happeningsOf({ ...phones, messages })).toHaveLength(1);
    const push = pushOf({ ...phones, messages });
    const other = createScene([], { businessPhone: '12' }).platform;
    expect(await other.receive(push)).toEqual({ is: 'stranger', who: '8615800001795' });
  });

  test('may be configured with signs', async () => {
    expect(await happeningsOf(envelope({}), { businessPhone: '+86 15800001795' })).toEqual([]);
  });

  test.each([
    ['another app', { app_id: '1534' }, '8615800001795 of app 1534'],
    ['another app, as a number', { app_id: 1534 }, '8615800001795 of app 1534'],
    [
      'another app inside a value',
      { app_id: undefined, value: { app_id: '1534' } },
      '8615800001795 of app 1534',
    ],
  ])('may be right while the push is for %s', async (_, app, who) => {
    const { platform } = createScene([], { appId: '1533' });
    expect(await platform.receive(pushOf({ ...envelope({}), ...app }))).toEqual({ is: 'stranger', who });
  });

  test('and the app that a push names are its marks, as far as they are configured', () => {
    const body = { ...envelope({}), app_id: 1533 };
    expect(marks({ businessPhone: null }, body)).toBe(0);
    expect(marks({}, body)).toBe(1);
    expect(marks({ appId: '1533' }, body)).toBe(2);
    expect(marks({ appId: '1533' }, { messages: [] })).toBe(0);
    expect(marks({ appId: '1533', businessPhone: null }, { app_id: 'x', messages: [] })).toBe(0);
  });

  test('travels with the message id when the account has none configured', async () => {
    const [happening] = await happeningsOf(envelope({ messages: [textMessage()] }), { businessPhone: null });
    expect(happening).toMatchObject({ key: wamid, messageId: `${wamid}@8615800001795` });
    const [phoneless] = await happeningsOf({ messages: [textMessage()] }, { businessPhone: null });
    expect(phoneless).toMatchObject({ key: wamid, messageId: wamid });
  });

  test('comes off the message id again', () => {
    expect(splitMessageId(joinMessageId(wamid, '8615800001795'))).toEqual({
      id: wamid,
      phone: '8615800001795',
    });
    expect(splitMessageId(joinMessageId(wamid, null))).toEqual({ id: wamid, phone: null });
    expect(splitMessageId('')).toEqual({ id: '', phone: null });
  });
});

function marks(
  account: { businessPhone?: string | null; appId?: string | null },
  body: object,
): number | null | undefined {
  return createScene([], account).platform.marks?.(pushOf(body));
}
