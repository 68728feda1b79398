/** The platforms' pushes as bytes, each of a user of its own, signed as the simulated platforms sign. */
import { nxcloudSign } from '../src/simulator/nxcloud-authenticate.ts';
import { messageEnvelope } from '../src/simulator/nxcloud-envelope.ts';
import { encrypt, renderBody, sha1Signature } from '../src/simulator/wechat-sealed.ts';

export const secrets = {
  appId: 'wx0123456789bench',
  appSecret: 'the-secret-of-the-bench',
  token: 'benchtoken',
  encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
  accessKey: 'the-key-of-the-bench',
  accessSecret: 'the-access-secret-of-the-bench',
  appKey: 'the-app-of-the-bench',
  businessPhone: '8613900139000',
} as const;

/** One account of each platform, as the environment of a process names them. */
export function accountsOf({ base, bot }: { base: string; bot: boolean }): Record<string, string> {
  return {
    WECHAT_TOKEN: secrets.token,
    WECHAT_APP_ID: secrets.appId,
    WECHAT_APP_SECRET: secrets.appSecret,
    WECHAT_ENCODING_AES_KEY: secrets.encodingAesKey,
    // Encrypted and plain pushes come to one account.
    WECHAT_ENCRYPTION: 'any',
    WECHAT_API_BASE: base,
    NXCLOUD_ACCESS_KEY: secrets.accessKey,
    NXCLOUD_ACCESS_SECRET: secrets.accessSecret,
    NXCLOUD_APP_KEY: secrets.appKey,
    NXCLOUD_BUSINESS_PHONE: secrets.businessPhone,
    NXCLOUD_MESSAGES_PER_MINUTE: '10000000',
    NXCLOUD_API_BASE: base,
    ...(bot ? { WECHAT_BOT_URL: `${base}/bot`, NXCLOUD_BOT_URL: `${base}/bot` } : {}),
  };
}

export const kinds = ['WeChat plain', 'WeChat secure', 'NXCloud signed'] as const;
export type PushKind = (typeof kinds)[number];

export interface Push {
  path: string;
  headers: Record<string, string>;
  body: string;
  user: string;
}

let pushed = 0;
const text = 'How long does this take?';

export function pushOf(kind: PushKind): Push {
  pushed += 1;
  return kind === 'NXCloud signed' ? nxcloudPush(pushed) : wechatPush(pushed, kind === 'WeChat secure');
}

function wechatPush(nth: number, sealed: boolean): Push {
  const at = Math.floor(Date.now() / 1000);
  const user = `oBench_${process.pid}_${nth}`;
  const fields = {
    ToUserName: 'gh_bench',
    FromUserName: user,
    CreateTime: at,
    MsgType: 'text',
    Content: text,
    MsgId: BigInt(24_000_000_000_000_000 + (Date.now() % 1e9) * 1e6 + nth),
  };
  const plain = renderBody(fields, 'xml');
  const [timestamp, nonce] = [String(at), '486452656'];
  const signed = {
    signature: sha1Signature(secrets.token, timestamp, nonce),
    timestamp,
    nonce,
    openid: user,
  };
  const headers = { 'content-type': 'text/xml', 'user-agent': 'Mozilla/4.0' };
  const path = '/webhooks/wechat';
  if (!sealed) return { path: `${path}?${String(new URLSearchParams(signed))}`, headers, body: plain, user };
  const Encrypt = encrypt(secrets, plain, String(nth).padStart(16, '0'));
  const signature = sha1Signature(secrets.token, timestamp, nonce, Encrypt);
  const query = new URLSearchParams({ ...signed, encrypt_type: 'aes', msg_signature: signature });
  const body = renderBody({ ToUserName: 'gh_bench', Encrypt }, 'xml');
  return { path: `${path}?${String(query)}`, headers, body, user };
}

function nxcloudPush(nth: number): Push {
  const user = String(8_613_000_000_000 + nth);
  const message = { user, text, id: `wamid.${process.pid}.${nth}` };
  const business = { businessPhone: secrets.businessPhone, shape: 'current' } as const;
  const body = JSON.stringify(messageEnvelope(business, message, Date.now()));
  const common = { accessKey: secrets.accessKey, action: 'mo', bizType: '2', ts: String(Date.now()) };
  const sign = nxcloudSign({ ...common, body }, secrets.accessSecret);
  const headers = {
    'content-type': 'application/json',
    accesskey: common.accessKey,
    action: common.action,
    biztype: common.bizType,
    ts: common.ts,
    algorithm: 'md5',
    sign,
  };
  return { path: '/webhooks/nxcloud', headers, body, user };
}

/** As it goes over the wire. */
export function bytesOf({ path, headers, body }: Push): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `content-length: ${Buffer.byteLength(body)}`;
  return Buffer.from(`POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}${length}\r\n\r\n${body}`);
}

export function makePushes(kind: PushKind, howMany: number): Buffer[] {
  return Array.from({ length: howMany }, () => bytesOf(pushOf(kind)));
}
