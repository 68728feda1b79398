/**
 * One person is one conversation, by whatever name, and only an answer ends the wait. Bodies after public cases:
 * https://www.dualhook.com/docs/contacts-bsuid-webhooks, whatsapp-api-js `ServerStatusPayload`,
 * https://help.gupshup.io article 4413210201625, https://github.com/chatwoot/chatwoot/issues/13932.
 */
import { describe, expect, test } from 'vitest';
import type { State } from '../../src/core/state.ts';
import { spelled } from '../../src/nxcloud/people.ts';
import { nxcloudSign } from '../../src/simulator/nxcloud-authenticate.ts';
import {
  asOperator,
  gatewayOf,
  quickRules,
  type Stage,
  type StageOptions,
  useStage,
  everyRedis,
} from './stage.ts';

const { open, now } = useStage();

const phone = '15550100001';
const id = 'US.1000000000000001';

/** The bot takes every push and answers some other way. */
const silent = (options: StageOptions = {}): Promise<Stage> => open({ bot: { style: 'silent' }, ...options });

function seconds(later = 0): string {
  return String(Math.floor(Date.now() / 1000) + later);
}

async function push(rest: object): Promise<void> {
  const { nxcloud } = now().simulator;
  const { businessPhone } = nxcloud.options;
  const body = {
    messaging_product: 'whatsapp',
    business_phone: businessPhone,
    merchant_phone: businessPhone,
    ...rest,
  };
  expect(await nxcloud.pushBody(JSON.stringify(body))).toMatchObject({ accepted: true });
}

/** A text message, and the turn that it opens has been acknowledged. */
async function writes(
  message: { id: string; [field: string]: unknown },
  contacts: object[] = [],
  user = phone,
): Promise<void> {
  await push({
    contacts,
    messages: [{ timestamp: seconds(), type: 'text', text: { body: 'q' }, ...message }],
  });
  await expect
    .poll(async () => (await load(user)).turns.find((turn) => turn.id === message.id)?.phase)
    .toBe('acknowledged');
}

const both = { from: phone, from_user_id: id };
const bothContacts = [{ wa_id: phone, user_id: id, profile: { name: 'A' } }];

function status(rest: object): Promise<void> {
  return push({ statuses: [{ id: 'wamid.OUT', status: 'sent', timestamp: seconds(1), ...rest }] });
}

async function load(user: string): Promise<State> {
  const { parts } = now().webs[0] ?? {};
  if (!parts) throw new Error('This stage has no web.');
  const { store } = parts.on('fast');
  return (await store.load({ channel: 'nxcloud', account: 'default', user })).state;
}

async function waiting(user: string): Promise<string[]> {
  return (await load(user)).turns.map((turn) => turn.id);
}

async function endedBy(user: string): Promise<Record<string, string>> {
  return Object.fromEntries((await load(user)).ended.map((turn) => [turn.id, turn.by]));
}

/** The bot's own call, through the gateway. */
async function send(content: object): Promise<void> {
  const { simulator, webs } = now();
  const {
    accessKey,
    accessSecret,
    appKey: appkey,
    businessPhone: business_phone,
  } = simulator.nxcloud.options;
  const body = JSON.stringify({ appkey, business_phone, messaging_product: 'whatsapp', ...content });
  const headers = { accessKey, action: 'mt', bizType: '2', ts: String(Date.now()) };
  const sign = nxcloudSign({ ...headers, body }, accessSecret);
  const url = `${gatewayOf({ webs })}/nxcloud/default/api/wa/mt`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers, sign },
    body,
  });
  expect(await answer.json()).toMatchObject({ code: 0 });
}

describe('phone and business-scoped user id', () => {
  test('a status that names only the id ends the turn of a message that named both', async () => {
    await silent();
    await writes({ id: 'wamid.IN1', ...both }, bothContacts);
    await status({ recipient_user_id: id });
    await expect.poll(() => endedBy(phone)).toEqual({ 'wamid.IN1': 'status' });
  });

  test('the next message, which names only the id, is in the same conversation', async () => {
    await silent();
    await writes({ id: 'wamid.IN1', ...both }, bothContacts);
    await writes({ id: 'wamid.IN2', from_user_id: id }, [{ user_id: id }]);
    expect(await waiting(phone)).toEqual(['wamid.IN1', 'wamid.IN2']);
    await status({ recipient_id: phone });
    await expect.poll(() => waiting(id)).toEqual([]);
  });

  test('what was two conversations becomes one, with the turns of both', async () => {
    await silent();
    await writes({ id: 'wamid.IN1', from_user_id: id }, [], id);
    await writes({ id: 'wamid.IN2', from: phone });
    expect(await waiting(phone)).toEqual(['wamid.IN2']);
    await writes({ id: 'wamid.IN3', ...both });
    expect(await waiting(phone)).toEqual(['wamid.IN1', 'wamid.IN2', 'wamid.IN3']);
    await status({ recipient_user_id: id });
    await expect
      .poll(() => endedBy(phone))
      .toEqual({
        'wamid.IN1': 'status',
        'wamid.IN2': 'status',
        'wamid.IN3': 'status',
      });
  });

  test('a changed number, and with it a changed id, is still the same person', async () => {
    await silent();
    await writes({ id: 'wamid.IN1', ...both });
    const system = {
      type: 'user_changed_number',
      wa_id: '15550100009',
      user_id: 'US.2',
      previous_user_id: id,
    };
    const changed = { id: 'wamid.S', timestamp: seconds(), type: 'system', from: phone, system };
    await push({ messages: [changed] });
    await expect.poll(() => waiting('US.2')).toEqual(['wamid.IN1']);
    for (const name of [phone, id, '15550100009']) expect(await waiting(name)).toEqual(['wamid.IN1']);
    await status({ recipient_user_id: 'US.2' });
    await expect.poll(() => endedBy(phone)).toEqual({ 'wamid.IN1': 'status' });
  });

  test('the gateway, the control API and the bot’s stop find the conversation by either', async () => {
    const stage = await silent();
    await stage.simulator.nxcloud.push({ user: phone, id: 'wamid.IN1', text: 'q' });
    await writes({ id: 'wamid.IN2', ...both });
    const at = `${stage.webs[0]?.url}/conversations/nxcloud/default/${id}`;
    expect(await (await fetch(at, asOperator)).json()).toMatchObject({
      turns: [{ id: 'wamid.IN1' }, { id: 'wamid.IN2' }],
    });
    await fetch(`${at}/typing?messageId=wamid.IN2`, { ...asOperator, method: 'DELETE' });
    await expect.poll(() => endedBy(phone)).toMatchObject({ 'wamid.IN2': 'control' });
    await send({ recipient: id, to: phone, type: 'text', text: { body: 'a' } });
    await expect.poll(() => endedBy(id)).toMatchObject({ 'wamid.IN1': 'gateway' });
  });

  test('who is forgotten is forgotten by every name', async () => {
    const stage = await silent();
    await writes({ id: 'wamid.IN1', ...both });
    await status({ recipient_id: phone });
    await expect.poll(() => waiting(phone)).toEqual([]);
    await fetch(`${stage.webs[0]?.url}/conversations/nxcloud/default/${id}`, {
      ...asOperator,
      method: 'DELETE',
    });
    const names = async () => (await Promise.all(everyRedis(stage).map((redis) => redis.keys('*')))).flat();
    await expect.poll(async () => (await names()).filter((key) => /:(state|last):/.test(key))).toEqual([]);
  });
});

describe('spellings of a number', () => {
  test.each([
    ['5215550100002', '525550100002'],
    ['525550100002', '5215550100002'],
    ['5491155501000', '541155501000'],
    ['5511987654321', '551187654321'],
    ['551187654321', '5511987654321'],
  ])('a message from %s is answered by the status for %s', async (from, recipient_id) => {
    await silent();
    await writes({ id: 'wamid.IN1', from }, [{ wa_id: from }], spelled(from));
    await status({ recipient_id });
    await expect.poll(() => endedBy(spelled(from))).toEqual({ 'wamid.IN1': 'status' });
  });
});

describe('groups', () => {
  const group = { group_id: 'R3JvdXAx' };
  const toGroup = { recipient_type: 'group', recipient_id: 'R3JvdXAx' };

  test('say nothing by default', async () => {
    const { bot } = await silent();
    await push({ messages: [{ id: 'wamid.G', from: phone, timestamp: seconds(), type: 'text', ...group }] });
    await bot.call(1);
    await writes({ id: 'wamid.IN1', from: phone });
    await status(toGroup);
    await status({ id: 'wamid.LAST', recipient_id: '15550100008' });
    expect(await waiting(phone)).toEqual(['wamid.IN1']);
    expect(await waiting('R3JvdXAx')).toEqual([]);
  });

  test('are conversations where that is asked for', async () => {
    await silent({ env: { NXCLOUD_GROUPS: 'conversation' } });
    await writes({ id: 'wamid.G', from: phone, ...group }, [], 'R3JvdXAx');
    expect(await waiting(phone)).toEqual([]);
    await status(toGroup);
    await expect.poll(() => endedBy('R3JvdXAx')).toEqual({ 'wamid.G': 'status' });
  });
});

/** What came before has been judged when the turn of a later message is there. */
async function settled(): Promise<void> {
  await writes({ id: 'wamid.LATER', from: '15550100008' }, [], '15550100008');
}

describe('what is no answer', () => {
  test('a reaction of the bot through the gateway, and its own status', async () => {
    const stage = await silent();
    await stage.simulator.nxcloud.push({ user: phone, id: 'wamid.IN1', text: 'q' });
    await expect.poll(async () => (await load(phone)).turns[0]?.phase).toBe('acknowledged');
    const heard = stage.bot.calls.length;
    await send({ to: phone, type: 'reaction', reaction: { message_id: 'wamid.IN1', emoji: '👀' } });
    await stage.bot.call(heard + 1);
    await settled();
    expect(await waiting(phone)).toEqual(['wamid.IN1']);
    await send({ to: phone, type: 'text', text: { body: 'a' } });
    await expect.poll(() => endedBy(phone)).toEqual({ 'wamid.IN1': 'gateway' });
  });

  test('a campaign’s message, whose "read" has no price any more', async () => {
    await silent();
    await writes({ id: 'wamid.IN1', from: phone });
    const campaign = { id: 'wamid.C', recipient_id: phone, timestamp: seconds(2) };
    await status({ ...campaign, pricing: { category: 'marketing' } });
    await status({ ...campaign, status: 'delivered' });
    await status({ ...campaign, status: 'read' });
    await settled();
    expect(await waiting(phone)).toEqual(['wamid.IN1']);
  });

  test('an answer that failed: the wait ends soon, or with the next try', async () => {
    const rules = { ...JSON.parse(quickRules.NXCLOUD_RULES), afterFailed: 1_000 };
    await silent({ env: { NXCLOUD_RULES: JSON.stringify(rules) } });
    await writes({ id: 'wamid.IN1', from: phone });
    await writes({ id: 'wamid.IN2', from: '15550100002' }, [], '15550100002');
    await status({ id: 'wamid.F1', status: 'failed', recipient_id: phone, errors: [{ code: 131047 }] });
    await status({ id: 'wamid.F2', status: 'failed', recipient_id: '15550100002' });
    await status({ id: 'wamid.OUT2', recipient_id: '15550100002' });
    await expect.poll(() => endedBy('15550100002')).toEqual({ 'wamid.IN2': 'status' });
    await expect.poll(() => endedBy(phone), { timeout: 5_000 }).toEqual({ 'wamid.IN1': 'status' });
  });
});

describe('statuses', () => {
  test.each(['delivered', 'read'])('"%s" alone ends the turn as "sent" does', async (word) => {
    await silent();
    await writes({ id: 'wamid.IN1', from: phone });
    await status({ status: word, recipient_id: phone });
    await expect.poll(() => endedBy(phone)).toEqual({ 'wamid.IN1': 'status' });
  });

  test('of another clock, up to 2 s older than the message, end it', async () => {
    await silent();
    await writes({ id: 'wamid.IN1', from: phone });
    await status({ timestamp: seconds(-2), recipient_id: phone });
    await expect.poll(() => endedBy(phone)).toEqual({ 'wamid.IN1': 'status' });
  });
});

test('an account with two numbers: an answer from one does not end the wait at the other', async () => {
  await silent({ env: { NXCLOUD_BUSINESS_PHONE: '' } });
  const [a, b] = ['8613800000001', '8613800000002'];
  await writes({ id: 'wamid.A', from: phone }, [], phone);
  const toB = { timestamp: seconds(), type: 'text', text: { body: 'q' }, id: 'wamid.B', from: phone };
  await push({ business_phone: b, messages: [toB] });
  await expect.poll(() => waiting(phone)).toEqual(['wamid.A', 'wamid.B']);
  const sent = { status: 'sent', timestamp: seconds(1), recipient_id: phone };
  await push({ business_phone: a, statuses: [{ ...sent, id: 'wamid.O1' }] });
  await push({ business_phone: b, statuses: [{ ...sent, id: 'wamid.O2' }] });
  await expect.poll(() => endedBy(phone)).toEqual({ 'wamid.B': 'status' });
  expect(await waiting(phone)).toEqual(['wamid.A']);
});
