import { describe, expect, test } from 'vitest';
import { createWechat } from '../../src/wechat/index.ts';
import { encrypt } from '../../src/wechat/receive.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { adapterDeps, answerOf, scriptedSend, utf8, xmlOf } from '../support/wechat.ts';
import { vectorOf } from './vectors.ts';

const keys = ['B'.repeat(43), 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'];

const seal = (text: string, encodingAesKey = keys[1] ?? '') =>
  encrypt(utf8(text), { encodingAesKey, appId: account.appId, random: new Uint8Array(16) });

async function read(body: string, encodingAesKeys = keys) {
  const platform = createWechat({ ...account, encodingAesKeys }, adapterDeps(scriptedSend()));
  return (await platform.readAnswer(answerOf(body))).is;
}

describe("a bot's answer", () => {
  test.each([
    '',
    ' \r\n',
    'success',
    'SUCCESS',
    ' success\n',
    '\uFEFFsuccess',
    'ok',
    '{}',
    // What bots of Mini Programs answer, whose users see no answer of the webhook.
    '{"errcode":0}',
    '{"errcode":0,"errmsg":"ok"}',
    '{"code":200,"msg":"success","data":null}',
    '{"code":"0"}',
    '{"status":"ok"}',
    '{"success":true}',
    '{"ok":true}',
    // What a framework makes of `return "success"`, of nothing, of an empty list.
    '"success"',
    '"OK"',
    '""',
    'null',
    'true',
    '[]',
    '{ }',
    '{"message":"ok"}',
    '{"msg":"success"}',
    '{"status":"received"}',
    '{"received":true}',
    '{"code":"SUCCESS","message":"成功"}',
    '<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>',
  ])('%j only acknowledges', async (body) => {
    expect(await read(body)).toBe('acknowledgement');
  });

  test.each([
    xmlOf({ MsgType: 'text', Content: 'hi' }),
    `\n ${xmlOf({ MsgType: 'text', Content: 'hi' })}`,
    '{"MsgType":"text","Content":"hi"}',
    'successful',
    'hello',
    '<xml></xml>',
    '{"errcode":40001}',
    '{"code":500,"msg":"no model"}',
    '{"ok":false}',
    '{"reply":"hi"}',
    '{"result":"hi"}',
    '{"MsgType":"text","Content":"hi","code":0}',
    '{"errcode":40001,"errmsg":"no"}',
    '"hello"',
    '["hi"]',
    '{"message":"hi"}',
  ])('%j is for the user', async (body) => {
    expect(await read(body)).toBe('message');
  });

  test.each([
    `\n ${xmlOf({ MsgType: 'transfer_customer_service' })}`,
    '{"MsgType":"TRANSFER_customer_service"}',
    JSON.stringify({ Encrypt: seal(xmlOf({ MsgType: 'transfer_customer_service' })) }),
  ])('%j passes the user on to a human', async (body) => {
    expect(await read(body)).toBe('handoff');
  });

  test('is opened first where it is encrypted, in either spelling and with any key', async () => {
    const message = seal(xmlOf({ MsgType: 'text', Content: 'hi' }));
    expect(await read(`<xml><Encrypt><![CDATA[${message}]]></Encrypt></xml>`)).toBe('message');
    expect(await read(JSON.stringify({ Encrypt: seal('success') }))).toBe('acknowledgement');
    expect(await read(JSON.stringify({ encrypt: seal('', keys[0]) }))).toBe('acknowledgement');
  });

  test('V4: the published encrypted reply is opened', async () => {
    const { encrypt: sealed, encodingAESKey } = vectorOf('V4');
    expect(await read(JSON.stringify({ Encrypt: sealed }), [encodingAESKey])).toBe('message');
  });

  test('that no key opens is relayed', async () => {
    expect(await read(JSON.stringify({ Encrypt: seal('success', 'C'.repeat(43)) }))).toBe('message');
    expect(await read(JSON.stringify({ Encrypt: seal('success') }), [])).toBe('message');
  });
});
