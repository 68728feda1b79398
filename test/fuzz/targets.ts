/**
 * What is fuzzed, and what must hold of it whatever comes in: `play` makes one input from the dice, hands it in and says
 * what broke, in one sentence; null: nothing did. What it throws counts as broken too.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib';
import { botRequest } from '../../src/core/bot.ts';
import type { Platform, Received } from '../../src/core/platform.ts';
import type { HeaderLines, RawPush } from '../../src/core/wire.ts';
import { routeOf } from '../../src/gateway/route.ts';
import { createNxcloud } from '../../src/nxcloud/index.ts';
import { decoded } from '../../src/replies/coding.ts';
import { restorePush, storePush } from '../../src/typing/jobs.ts';
import { readFields, textOf } from '../../src/wechat/body.ts';
import { createComponentEvents } from '../../src/wechat/component/events.ts';
import { authorizerOf } from '../../src/wechat/component/component.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { encrypt } from '../../src/wechat/receive.ts';
import type { Dice } from '../chaos/random.ts';
import { nxcloudAccount, vendor, wechatAccount } from '../support/accounts.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { adapterDeps, granted, scriptedSend } from '../support/wechat.ts';
import { brokenBytes, brokenText, objectOf, valueOf, wordOf, xmlIn } from './make.ts';

export type Target = (dice: Dice) => Promise<string | null>;

const key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const token = 'AAAAA';
/** Seconds since 1970. */
const now = 1_700_000_000;
const shop = 'wx1111111111111111';

const digestOf = (algorithm: string, text: string | Uint8Array): string =>
  createHash(algorithm).update(text).digest('hex');

/** As WeChat's page has it, written apart from the code that it judges. */
const wechatSign = (...parts: string[]): string => digestOf('sha1', parts.toSorted().join(''));

/** The longest that is kept of a user and of a message id, in characters. */
const bounds = { wechat: { user: 128, messageId: 64 }, nxcloud: { user: 1_024, messageId: 2_049 } } as const;

/** What holds of a push that is taken. */
function faultOf(
  received: Received,
  { push, sent, most }: { push: RawPush; sent: RawPush; most: { user: number; messageId: number } },
): string | null {
  if (!Buffer.from(push.body).equals(sent.body)) return 'the bytes of the push were changed';
  if (received.is !== 'push') return null;
  if (!/^[^:]{1,200}$/s.test(received.key)) return `a key of ${received.key.length} characters`;
  for (const happening of received.happenings) {
    if (happening.user === '' || happening.user.length > most.user) return 'a user above the bound';
    if ('messageId' in happening && (happening.messageId ?? '').length > most.messageId)
      return 'a message id above the bound';
    if (happening.is !== 'inbound') continue;
    if (!/^[^:]{1,200}$/s.test(happening.key)) return `a turn of ${happening.key.length} characters`;
    if (!/^[\w.-]{1,100}$/.test(happening.type)) return 'a type that is no word';
    if (!Number.isSafeInteger(happening.sentAt) || happening.sentAt < 0) return 'a time that is none';
  }
  const kept = restorePush(storePush(push));
  const { url, body, headers } = botRequest({
    botUrl: 'http://bot.example/hook?own=1',
    push: kept,
    key: received.key,
    attempt: 1,
    timeoutMs: 1,
  });
  if (!(body instanceof Uint8Array) || !Buffer.from(body).equals(sent.body))
    return 'other bytes go to the bot';
  if (sent.rawQuery !== '' && url !== `http://bot.example/hook?own=1&${sent.rawQuery}`)
    return 'another query goes to the bot';
  return headers.length === sent.headers.length + 2 ? null : 'other header lines go to the bot';
}

const copyOf = (push: RawPush): RawPush => ({ ...push, body: Uint8Array.from(push.body) });

function wechatBody(dice: Dice, json: boolean): string {
  const fields = objectOf(dice, {
    ToUserName: 'gh_x',
    FromUserName: dice.pick(['oUser_1', wordOf(dice)]),
    CreateTime: dice.pick([String(now), wordOf(dice)]),
    MsgType: dice.pick(['text', 'event', wordOf(dice)]),
    Event: dice.pick(['CLICK', 'kf_create_session', wordOf(dice)]),
    Content: wordOf(dice),
    MsgId: dice.pick(['24180351648420683', 7, wordOf(dice)]),
    InfoType: dice.pick(['component_verify_ticket', 'authorized', wordOf(dice)]),
    AuthorizerAppid: dice.pick([shop, wordOf(dice)]),
  });
  return json ? JSON.stringify(fields) : xmlIn(dice, fields);
}

/** A push of WeChat's as it should be, then broken, or not. */
function wechatPush(dice: Dice, addressee: string): RawPush {
  const json = dice.chance(0.4);
  // Else little would get past the signature.
  const isWhole = dice.chance(0.6);
  const maybe = <Value>(right: Value, ...wrong: Value[]): Value =>
    isWhole ? right : dice.pick([right, ...wrong]);
  const inner = brokenBytes(dice, Buffer.from(wechatBody(dice, json)));
  const timestamp = maybe(String(now), String(now - 90_000), String(now + 90_000), wordOf(dice));
  const nonce = maybe('486452656', wordOf(dice));
  const signer = maybe(token, 'BBBBB', '');
  const query = new URLSearchParams({ signature: wechatSign(signer, timestamp, nonce), timestamp, nonce });
  let body: Uint8Array = inner;
  if (dice.chance(0.7)) {
    const random = Uint8Array.from({ length: 16 }, () => dice.between(0, 255));
    const appId = maybe(addressee, 'wx0');
    const encrypted = encrypt(inner, { encodingAesKey: key, appId, random });
    const sealed = maybe(encrypted, brokenText(dice, encrypted));
    body = Buffer.from(
      json ? JSON.stringify({ Encrypt: sealed }) : `<xml><Encrypt>${sealed}</Encrypt></xml>`,
    );
    query.set('encrypt_type', maybe('aes', 'raw', ''));
    query.set('msg_signature', wechatSign(signer, timestamp, nonce, maybe(sealed, encrypted, 'other')));
  }
  const rawQuery = maybe(query.toString(), brokenText(dice, query.toString()));
  const headers = [['Content-Type', 'text/xml']] as const;
  return { method: 'POST', rawQuery, headers, body: maybe(body, brokenBytes(dice, body)) };
}

/** Whether somebody who knows the token made it, and today. */
function isWechats({ rawQuery, body }: RawPush, sealedOnly: boolean): boolean {
  const query = new URLSearchParams(rawQuery);
  const [timestamp, nonce] = [query.get('timestamp') ?? '', query.get('nonce') ?? ''];
  if (Math.abs(Number(timestamp) - now) > 86_400) return false;
  if (!sealedOnly) return query.get('signature') === wechatSign(token, timestamp, nonce);
  const encrypted = textOf(readFields(new TextDecoder().decode(body)) ?? {}, 'Encrypt') ?? '';
  return query.get('msg_signature') === wechatSign(token, timestamp, nonce, encrypted);
}

type Receivers = Record<'plain' | 'sealed' | 'authorizer' | 'events', Pick<Platform, 'receive'>>;

export function wechatReceivers(): Receivers {
  const deps = { ...adapterDeps(scriptedSend()), clock: handClock(now * 1000) };
  const own = { ...wechatAccount, encodingAesKeys: [key], pushAgeMs: 86_400_000 };
  const component = { ...vendor, template: { ...vendor.template, pushAgeMs: 86_400_000 } };
  return {
    plain: createWechat(own, deps),
    sealed: createWechat({ ...own, encryption: 'require' }, deps),
    authorizer: createWechat(authorizerOf(component, shop), deps),
    events: createComponentEvents(component, { now: () => now * 1000, hear: async () => {} }),
  };
}

export function fuzzWechat(receivers: Receivers = wechatReceivers()): Target {
  return async (dice) => {
    const by = dice.pick(['plain', 'sealed', 'authorizer', 'events'] as const);
    const isBehind = by === 'authorizer' || by === 'events';
    const push = wechatPush(dice, isBehind ? vendor.appId : wechatAccount.appId);
    const sent = copyOf(push);
    const received = await receivers[by].receive(push);
    if (received.is === 'push' && !isWechats(sent, by !== 'plain')) return `${by}: a forged push is taken`;
    return faultOf(received, { push, sent, most: bounds.wechat });
  };
}

function nxcloudBody(dice: Dice): string {
  const id = dice.pick(['wamid.1', wordOf(dice)]);
  const user = dice.pick(['8613320237446', wordOf(dice), valueOf(dice)]);
  const common = { id, timestamp: dice.pick([String(now), valueOf(dice)]) };
  const message = objectOf(dice, { ...common, from: user, type: dice.pick(['text', wordOf(dice)]) });
  const status = objectOf(dice, { ...common, recipient_id: user, status: dice.pick(['sent', wordOf(dice)]) });
  const echo = objectOf(dice, { ...common, to: user });
  const some = (one: object): object[] => Array.from({ length: dice.between(0, 2) }, () => one);
  const envelope = objectOf(dice, {
    business_phone: dice.pick(['8615800001795', '8615800001795', wordOf(dice)]),
    contacts: some({ wa_id: user }),
    messages: some(message),
    statuses: some(status),
    message_echoes: some(echo),
  });
  return JSON.stringify(dice.chance(0.9) ? envelope : valueOf(dice));
}

function nxcloudPush(dice: Dice): RawPush {
  const body = Buffer.from(nxcloudBody(dice));
  const isWhole = dice.chance(0.5);
  const [accesskey, action, biztype, ts] = ['fme2na3kdi3ki', 'mo', '2', String(now * 1000)];
  const common = { accesskey, action, biztype, ts };
  const algorithm = dice.pick(['md5', 'sha256']);
  const secret = isWhole ? 'abciiiko2k3' : dice.pick(['abciiiko2k3', 'other', '']);
  const sign = nxcloudSign(common, { body, secret, algorithm });
  const lines: [string, string][] = Object.entries({ ...common, algorithm, sign });
  const headers = lines
    .filter(() => isWhole || !dice.chance(0.05))
    .map(([name, value]): [string, string] => [name, isWhole || dice.chance(0.95) ? value : wordOf(dice)]);
  return { method: 'POST', rawQuery: '', headers, body: isWhole ? body : brokenBytes(dice, body) };
}

type Common = Record<'accesskey' | 'action' | 'biztype' | 'ts', string>;

function nxcloudSign(
  { accesskey, action, biztype, ts }: Common,
  { body, secret, algorithm }: { body: Uint8Array; secret: string; algorithm: string },
): string {
  const head = `accessKey=${accesskey}&action=${action}&bizType=${biztype}&ts=${ts}`;
  const middle = body.length > 0 ? Buffer.concat([Buffer.from('&body='), body]) : Buffer.alloc(0);
  const tail = Buffer.from(`&accessSecret=${secret}`);
  return digestOf(algorithm, Buffer.concat([Buffer.from(head), middle, tail]));
}

function isNxclouds({ headers, body }: RawPush): boolean {
  const of = (name: string): string => headers.find(([each]) => each === name)?.[1] ?? '';
  const common = { accesskey: of('accesskey'), action: of('action'), biztype: of('biztype'), ts: of('ts') };
  const algorithm = of('algorithm').toLowerCase() === 'sha256' ? 'sha256' : 'md5';
  return of('sign').toLowerCase() === nxcloudSign(common, { body, secret: 'abciiiko2k3', algorithm });
}

function nxcloudReceiver(): Pick<Platform, 'receive'> {
  const account = { ...nxcloudAccount, verifyCallbacks: 'require' } as const;
  return createNxcloud(account, { typing: scriptedSend(), clock: handClock(), log: recordLog() });
}

export function fuzzNxcloud(receiver = nxcloudReceiver()): Target {
  return async (dice) => {
    const push = nxcloudPush(dice);
    const sent = copyOf(push);
    const received = await receiver.receive(push);
    if (received.is !== 'refusal' && !isNxclouds(sent)) return 'a forged push is taken';
    return faultOf(received, { push, sent, most: bounds.nxcloud });
  };
}

const segments = [
  '.',
  '..',
  '...',
  '..;',
  '..;x=1',
  '%2e%2e',
  '%252e%252e',
  '%25252e.',
  '.%2e',
  '%2f..%2f',
  '..%5c..',
  '..\\',
  '%c0%ae%c0%ae',
  '%u002e',
  '\u002e\u3002',
  '%00',
  '%0d%0aHost:x',
  '@evil.example',
  '//evil.example',
  'https://evil.example/',
  ' ',
  '',
];

/** Below which the gateway's calls stay. */
const base = 'https://api.example/base';

/** What a server on the way may make of a path: each layer of encoding, and what some take for a slash. */
function readings(path: string): string[] {
  const all = [path];
  for (let layer = 0; layer < 6; layer += 1) {
    const text = all.at(-1) ?? '';
    all.push(
      text.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    );
  }
  return all.flatMap((text) => [text, text.replaceAll('\\', '/'), text.replace(/;[^/]*/g, '')]);
}

function escapes(path: string): boolean {
  const { pathname, host } = new URL(`${base}${path.startsWith('/') ? '' : '/'}${path}`);
  return host !== 'api.example' || !(pathname === '/base' || pathname.startsWith('/base/'));
}

export function fuzzGateway(route: typeof routeOf = routeOf): Target {
  return async (dice) => {
    const keys = ['rightkey'];
    const given = dice.chance(0.8) ? 'rightkey' : dice.pick(['righ%74key', 'wrongkey', '', wordOf(dice)]);
    const path = Array.from({ length: dice.between(0, 6) }, () =>
      dice.chance(0.5) ? 'cgi-bin' : dice.chance(0.8) ? dice.pick(segments) : wordOf(dice),
    ).join('/');
    const query = dice.pick(['', '?access_token=T', `?${wordOf(dice)}`]);
    const url = (dice.chance(0.05) ? 'http://x' : '') + `/gateway/${given}/wechat/default/${path}${query}`;
    const request = { url } as IncomingMessage;
    const found = route({ access: { by: 'key', keys }, baseOf: () => base }, request);
    if (found.is === 'refusal') return null;
    if (decodeURIComponent(given.split(/[/?]/)[0] ?? '') !== 'rightkey') return 'a wrong key leads somewhere';
    if (/[\r\n\0]/.test(found.path)) return 'a path holds a line break';
    return readings(found.path).some(escapes)
      ? `a path escapes the base: ${JSON.stringify(found.path)}`
      : null;
  };
}

const codings: readonly (readonly [string, (body: Uint8Array) => Uint8Array])[] = [
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateRawSync],
  ['identity', (body) => body],
  ['gzip, br', (body) => brotliCompressSync(gzipSync(body))],
  ['zip', (body) => body],
];

function answerBody(dice: Dice): Uint8Array {
  if (dice.chance(0.1)) return Buffer.from(wordOf(dice));
  const fields = objectOf(dice, {
    ToUserName: dice.pick(['oUser_1', 'oSomebodyElse']),
    MsgType: dice.pick(['text', 'image', 'news', 'music', 'video', wordOf(dice)]),
    Content: wordOf(dice),
    Image: objectOf(dice, { MediaId: wordOf(dice) }),
    Articles: { item: [objectOf(dice, { Title: wordOf(dice), Url: wordOf(dice) })] },
    touser: wordOf(dice),
  });
  const text = dice.chance(0.5) ? JSON.stringify(fields) : xmlIn(dice, fields);
  return brokenBytes(dice, Buffer.from(text));
}

/** A bot's answer, and what becomes of it where it is late: it goes to who asked, and to nobody else. */
export function fuzzAnswers(): Target {
  return async (dice) => {
    const [coding, code] = dice.pick(codings);
    const plain = answerBody(dice);
    const headers: HeaderLines = dice.chance(0.5) ? [['content-encoding', coding]] : [];
    const body = headers.length > 0 ? brokenBytes(dice, code(plain)) : plain;
    const answer = decoded({ status: 200, headers, body });
    if (answer === null) return null;
    if (answer.body.length > 1024 * 1024 && answer.body !== body) return 'more is unpacked than fits';
    const send = scriptedSend(granted('T'), { errcode: 0 });
    const platform = createWechat({ ...wechatAccount, encodingAesKeys: [key] }, adapterDeps(send, send));
    await platform.readAnswer(answer);
    await platform.sendLate?.('oUser_1', answer);
    const said = send.requests.filter(({ url }) => url.includes('/message/custom/send'));
    const users = said.map((request) => JSON.parse(String(Buffer.from(request.body ?? '')))['touser']);
    return users.every((user) => user === 'oUser_1') ? null : 'a late answer goes to somebody else';
  };
}

/** What passes the gateway is read for its user. */
export function fuzzOwnCalls(): Target {
  const wechat = createWechat(wechatAccount, adapterDeps(scriptedSend())).ownCalls;
  const nxcloud = createNxcloud(nxcloudAccount, {
    typing: scriptedSend(),
    clock: handClock(),
    log: recordLog(),
  }).ownCalls;
  return async (dice) => {
    const [calls, path] = dice.pick([
      [wechat, '/cgi-bin/message/custom/send'],
      [wechat, '/cgi-bin/message/custom/typing'],
      [nxcloud, '/api/wa/mt'],
    ] as const);
    const call = { touser: wordOf(dice), to: valueOf(dice), recipient: valueOf(dice), command: 'Typing' };
    const body = brokenBytes(dice, Buffer.from(JSON.stringify(objectOf(dice, call))));
    const read = calls.read(path, body);
    if (read !== null && (read.user === '' || read.user.length > 1_024)) return 'a user above the bound';
    const word = objectOf(dice, { errcode: valueOf(dice), code: valueOf(dice), data: valueOf(dice) });
    const answer = brokenBytes(dice, Buffer.from(JSON.stringify(word)));
    const verdict = calls.verdict({ status: 200, headers: [], body: answer });
    const isLong = verdict.is === 'accepted' && (verdict.messageId ?? '').length > 1_024;
    return isLong ? 'a message id above the bound' : null;
  };
}

export const targets: Readonly<Record<string, () => Target>> = {
  wechat: () => fuzzWechat(),
  nxcloud: () => fuzzNxcloud(),
  gateway: () => fuzzGateway(),
  answers: fuzzAnswers,
  'own-calls': fuzzOwnCalls,
};
