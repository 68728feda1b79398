/** Requests as WeChat makes them on the server URL, made by ourselves to see who answers. */
import type { Knock } from '../core/platform.ts';
import type { WechatAccount } from './account.ts';
import { encrypt } from './cipher.ts';
import { sign } from './signature.ts';

/** An openid that no user has: real ones have 28 characters. */
export const nobody = 'keeptyping-doctor';

export interface Sealing {
  account: Pick<WechatAccount, 'appId' | 'tokens' | 'encodingAesKeys'>;
  /** ms since 1970. */
  at: number;
  random: (bytes: number) => Uint8Array;
}

/**
 * The check of the server URL: a bot returns the echostr and does nothing else.
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
export function knock(sealing: Sealing): Knock {
  const echostr = digits(sealing, 16);
  const query = new URLSearchParams({ ...signed(sealing), echostr });
  return { method: 'GET', rawQuery: query.toString(), headers: [], body: null, expects: echostr };
}

/** A text, in compatible mode where there is a key: whichever mode the bot expects, it finds its own. */
export function message(sealing: Sealing): Knock {
  const { account, at } = sealing;
  const query = signed(sealing);
  const text = fieldsOf(sealing, at);
  const [encodingAesKey] = account.encodingAesKeys;
  const headers = [['Content-Type', 'text/xml']] as const;
  const openid = { openid: nobody };
  if (encodingAesKey === undefined) {
    const rawQuery = new URLSearchParams({ ...query, ...openid }).toString();
    return { method: 'POST', rawQuery, headers, body: `<xml>${text}</xml>`, expects: null };
  }
  const seal = { encodingAesKey, appId: account.appId, random: sealing.random(16) };
  const encrypted = encrypt(Buffer.from(`<xml>${text}</xml>`), seal);
  const msg_signature = sign([tokenOf(sealing), query.timestamp, query.nonce, encrypted]);
  const rawQuery = new URLSearchParams({
    ...query,
    ...openid,
    encrypt_type: 'aes',
    msg_signature,
  }).toString();
  const body = `<xml>${text}<Encrypt><![CDATA[${encrypted}]]></Encrypt></xml>`;
  return { method: 'POST', rawQuery, headers, body, expects: null };
}

function fieldsOf(sealing: Sealing, at: number): string {
  return [
    '<ToUserName><![CDATA[gh_keeptyping]]></ToUserName>',
    `<FromUserName><![CDATA[${nobody}]]></FromUserName>`,
    `<CreateTime>${Math.floor(at / 1000)}</CreateTime>`,
    '<MsgType><![CDATA[text]]></MsgType>',
    '<Content><![CDATA[keeptyping doctor]]></Content>',
    `<MsgId>24${digits(sealing, 15)}</MsgId>`,
  ].join('');
}

function signed(sealing: Sealing): { signature: string; timestamp: string; nonce: string } {
  const timestamp = String(Math.floor(sealing.at / 1000));
  const nonce = digits(sealing, 10);
  return { signature: sign([tokenOf(sealing), timestamp, nonce]), timestamp, nonce };
}

function tokenOf({ account }: Sealing): string {
  return account.tokens[0] ?? '';
}

/** None of them 0: a bot that reads a number loses none. */
function digits({ random }: Sealing, count: number): string {
  return Array.from(random(count), (byte) => String(1 + (byte % 9))).join('');
}
