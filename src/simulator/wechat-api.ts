/**
 * WeChat's API as far as a bot that types needs it. Every answer is HTTP 200 with an errcode.
 * Source: https://developers.weixin.qq.com/doc/service/api/customer/message/api_typing
 */
import type { Api, Subject, Verdict } from './api-server.ts';
import { type Random, randomText } from './faults.ts';
import type { Phones } from './phones.ts';
import { asObject, asText, type JsonObject, readObject, type Request } from './server.ts';
import { describeMessage, messageFault } from './wechat-custom-message.ts';
import type { Contacts } from './wechat-rules.ts';
import type { Granted, Tokens } from './wechat-tokens.ts';

interface WechatApiOptions {
  appId: string;
  appSecret: string;
  kind: 'official' | 'mini';
  phones: Phones;
  contacts: Contacts;
  tokens: Tokens;
  random: Random;
}

/** The messages of the documented codes. Clients must go by the code: live messages differ in language and end in a rid. */
const MESSAGES: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40008: 'invalid message type',
  40013: 'invalid appid',
  40066: 'invalid url',
  40125: 'invalid appsecret',
  40164: 'invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist',
  40200: 'invalid account type',
  41001: 'access_token missing',
  41009: 'missing openid',
  42001: 'access_token expired',
  43002: 'require POST method',
  44002: 'empty post data',
  45002: 'content size out of limit',
  45008: 'article size out of limit',
  45015: 'response out of time limit or subscription is canceled',
  45047: 'out of response count limit',
  45072: 'invalid command',
  45080: 'need sending message to user orrecving message from user in the last 30 seconds before typing',
  45081: 'you are already typing',
  47001: 'data format error',
  61003: 'component is not authorized by this account',
  61005: 'component ticket is expired',
  61006: 'component ticket is invalid',
  61009: 'code is invalid',
  61010: 'code is expired',
  61023: 'refresh_token is invalid',
};

const TYPING_PATHS = {
  '/cgi-bin/message/custom/typing': 'official',
  '/cgi-bin/message/custom/business/typing': 'mini',
} as const;

export function createWechatApi(options: WechatApiOptions): Api {
  return {
    describe,
    handle: (request) => handle(options, request),
    refuse: (_request, fault) => verdict(options, 'code' in fault ? fault.code : fault.metaCode),
  };
}

/** Whom and what a call is about. */
export function describe(request: Request): Subject {
  const body = readObject(request.body.toString());
  const [user, text] = [asText(body?.['touser']), asText(asObject(body?.['text'])?.['content'])];
  if (request.path === '/cgi-bin/message/custom/send')
    return { user, command: 'send', messageId: null, text };
  if (request.path.endsWith('token')) return { user: null, command: 'token', messageId: null, text: null };
  return { user, command: asText(body?.['command']), messageId: null, text: null };
}

function handle(options: WechatApiOptions, request: Request): Verdict {
  const { path, method } = request;
  if (path === '/cgi-bin/token')
    return token(options, Object.fromEntries(request.query), () => options.tokens.fresh());
  if (method !== 'POST') return verdict(options, 43002);
  const body = readObject(request.body.toString());
  if (path === '/cgi-bin/stable_token') {
    const force = body?.['force_refresh'] === true;
    return body === null ? verdict(options, 47001) : token(options, body, () => options.tokens.stable(force));
  }
  const refused = options.tokens.check(request.query.get('access_token'));
  return verdict(options, refused === 0 ? carryOut(options, request) : refused);
}

/** What is called in one account's name, once its token is good: WeChat's code. */
export function carryOut(
  account: Pick<WechatApiOptions, 'kind' | 'phones' | 'contacts'>,
  { path, body: bytes }: Pick<Request, 'path' | 'body'>,
): number {
  const body = readObject(bytes.toString());
  if (bytes.length === 0) return 44002;
  if (body === null) return 47001;
  if (path === '/cgi-bin/message/custom/send') return send(account, body);
  if (path === '/cgi-bin/message/custom/typing' || path === '/cgi-bin/message/custom/business/typing') {
    return TYPING_PATHS[path] === account.kind ? type(account, body) : 40200;
  }
  return 40066;
}

/** An answer that is only a code. */
export function verdict(options: Pick<WechatApiOptions, 'random'>, code: number): Verdict {
  const rid = (): string => Array.from({ length: 3 }, () => randomText(options.random, 8)).join('-');
  const errmsg = code === 0 ? 'ok' : `${MESSAGES[code] ?? 'simulated refusal'} rid: ${rid()}`;
  return { code, body: JSON.stringify({ errcode: code, errmsg }) };
}

function token(options: WechatApiOptions, asked: JsonObject, create: () => Granted): Verdict {
  if (asked['grant_type'] !== 'client_credential') return verdict(options, 40002);
  if (asked['appid'] !== options.appId) return verdict(options, 40013);
  if (asked['secret'] !== options.appSecret) return verdict(options, 40125);
  return { code: 0, body: JSON.stringify(create()) };
}

function type({ phones, contacts }: Pick<WechatApiOptions, 'phones' | 'contacts'>, body: JsonObject): number {
  const user = asText(body['touser']);
  if (user === null) return 41009;
  if (body['command'] !== 'Typing' && body['command'] !== 'CancelTyping') return 45072;
  const may = contacts.mayType(user);
  if (may === 40003) return may;
  if (body['command'] === 'CancelTyping') {
    phones.of(user).darken('cancelled');
    return 0;
  }
  // Which of the two is said when both hold is documented nowhere.
  if (phones.of(user).lit()) return 45081;
  if (may === 0) phones.of(user).light('Typing');
  return may;
}

function send({ phones, contacts }: Pick<WechatApiOptions, 'phones' | 'contacts'>, body: JsonObject): number {
  const user = asText(body['touser']);
  if (user === null) return 41009;
  const kind = asText(body['msgtype']);
  const message = kind === null ? null : asObject(body[kind]);
  if (kind === null || message === null) return 40008;
  const refused = messageFault(kind, message) || contacts.maySend(user);
  if (refused !== 0) return refused;
  phones.of(user).receive(describeMessage(kind, message), 'api');
  contacts.told(user, true);
  return 0;
}
