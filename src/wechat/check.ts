/** What WeChat makes of an account: its credentials, this machine's address, its permission to type. */
import { randomBytes } from 'node:crypto';
import {
  type Examiner,
  fail,
  type Finding,
  type Knock,
  ok,
  type Outcome,
  type Unshown,
  warn,
} from '../core/platform.ts';
import { said, type Said, saidTogether } from '../core/said.ts';
import type { WechatAccount } from './account.ts';
import { botAnswerOf, type Passive, readPassive, shapeOf } from './answer.ts';
import { certify, codeOf } from './api.ts';
import { nobody } from './message.ts';
import { encrypt, sign } from './receive.ts';
import { canFetchToken, fetchToken, type TokenDeps, type TokenFault, tokenRemedy } from './token.ts';
import { createTyping } from './typing-api.ts';

type CheckDeps = Omit<TokenDeps, 'cache'>;

/** Refusals of this machine's address: the general list of return codes, and the third-party platforms'. */
const addressCodes: ReadonlySet<number> = new Set([40164, 45035, 61004, 89501, 89503]);

/** For the typing call and its retry (ms). */
const limitMs = 3000;

export function createWechatExaminer(account: WechatAccount, deps: CheckDeps): Examiner {
  const sealing = (): Sealing => ({ account, at: deps.clock.now(), random: randomBytes });
  return {
    channel: 'wechat',
    account: account.name,
    evidence: account.kind === 'mini' ? { ...wechatEvidence, note: ofMini } : wechatEvidence,
    ask: () => ask(account, deps),
    knock: () => knock(sealing()),
    forgeries: () => {
      const signed = knock(sealing());
      const query = new URLSearchParams(signed.rawQuery);
      query.set('signature', '0'.repeat(40));
      const wrong = { ...signed, rawQuery: query.toString() };
      query.delete('signature');
      return { unsigned: { ...signed, rawQuery: query.toString() }, wrong };
    },
    forged: said('See that the URL leads to keeptyping itself: it never takes one.'),
    message: () => messageKnock(sealing()),
    readAnswer: ({ body }) => botAnswerOf(readPassive(body, account.encodingAesKeys)),
    unshown: ({ body }) => unshownOf(account, readPassive(body, account.encodingAesKeys)),
  };
}

function unshownOf(account: WechatAccount, passive: Passive): Unshown | null {
  const isSent = shapeOf(passive, account).isLateOnly;
  if (!shapeOf(passive, { ...account, split: 'auto' }).isLateOnly) return null;
  const says = account.kind === 'mini' ? ofMini : tooLong;
  return { says, isSent, remedy: isSent ? '' : said('Set WECHAT_SPLIT=auto.') };
}

const ofMini = said('and WeChat shows no webhook answer of a Mini Program');
const tooLong = said('longer than 2,048 bytes, of which WeChat shows nothing');

export const wechatEvidence: Examiner['evidence'] = {
  inline: true,
  statuses: null,
  remedy: said(
    "Let the bot answer in the webhook's answer, or its API calls pass the gateway, or set BOT_QUEUE (see docs/recipes.md).",
  ),
};

/** The token is asked for as ever and never forced: the same one comes back, and the bot's stays good. */
async function ask(account: WechatAccount, deps: CheckDeps): Promise<Finding[]> {
  if (!canFetchToken(account)) return [tokenFinding(account, { is: 'no-credentials' })];
  const fetched = await fetchToken(account, deps);
  if (fetched.is !== 'token') return [tokenFinding(account, fetched)];
  const tokens = {
    get: async () => ({ is: 'token', token: fetched.token }) as const,
    drop: async () => {},
  };
  const typing = createTyping(account, { ...deps, typing: deps.send, tokens }, limitMs);
  // What nobody has switched on is taken away from a user who does not exist: only the permission is told by it.
  const outcome = await typing('CancelTyping', nobody);
  return [
    ok(
      'access token',
      said(account.accessTokenUrl === null ? 'WeChat gives one' : 'the token service gives one'),
    ),
    ...permissionFindings(account, outcome),
  ];
}

function tokenFinding({ accessTokenUrl, rules }: WechatAccount, fault: TokenFault): Finding {
  const subject = 'access token';
  switch (fault.is) {
    case 'no-credentials': {
      const says = said('there is nothing to ask for one with: neither typing nor late answers work');
      return (rules.mode === 'off' ? warn : fail)(subject, { says, remedy: tokenRemedy(0) });
    }
    case 'token-refused':
      return addressCodes.has(fault.code)
        ? wrongAddress(fault.code, fault.remedy)
        : fail(subject, {
            says: said('refused with {code}', { code: named(fault.code) }),
            remedy: tokenRemedy(fault.code) || remedyOf(fault.code),
          });
    case 'token-lost': {
      const where = accessTokenUrl === null ? 'WECHAT_API_BASE' : 'WECHAT_ACCESS_TOKEN_URL';
      const remedy = said('Check {where}, and that this machine reaches it (HTTPS_PROXY).', { where });
      return fail(subject, { says: fault.cause, remedy });
    }
  }
}

/** @param remedy it names the address where WeChat does */
function wrongAddress(code: number, remedy = codeOf(code).remedy): Finding {
  const says = said("WeChat takes no calls from this machine's address: {code}", { code: named(code) });
  return fail('IP allowlist', { says, remedy });
}

function permissionFindings({ rules }: WechatAccount, outcome: Outcome): Finding[] {
  const subject = 'typing permission';
  const reached = ok('IP allowlist', said("WeChat takes calls from this machine's address"));
  switch (outcome.is) {
    case 'lost': {
      const remedy = said('Check WECHAT_API_BASE and WECHAT_TYPING_PATH, and try again.');
      return [fail(subject, { says: said('not known: {cause}', { cause: outcome.cause }), remedy })];
    }
    // That it does not know the user is what WeChat says after everything else was right.
    case 'done':
    case 'already':
    case 'window-closed':
    case 'user-back-off':
    case 'message-refused':
      return [reached, ok(subject, said('the account may show typing'))];
    case 'account-off': {
      if (addressCodes.has(outcome.code)) return [wrongAddress(outcome.code, outcome.remedy)];
      const level = rules.mode === 'off' ? warn : fail;
      const fault = {
        says: said('refused with {code}', { code: named(outcome.code) }),
        remedy: remedyOf(outcome.code),
      };
      return [reached, level(subject, fault)];
    }
    case 'account-back-off':
    case 'failed': {
      const level = codeOf(outcome.code).meaning === 'token' ? fail : warn;
      const says = said('not known: WeChat answered {code}', { code: named(outcome.code) });
      return [reached, level(subject, { says, remedy: remedyOf(outcome.code) })];
    }
  }
}

function named(code: number): string {
  const { name } = codeOf(code);
  return name === `code ${code}` ? name : `${code} (${name})`;
}

function remedyOf(code: number): Said {
  const { meaning, remedy } = codeOf(code);
  if (code === 40200)
    return saidTogether(
      certify,
      said('A Mini Program or Mini Game needs WECHAT_KIND=mini, others official.'),
    );
  if (remedy !== '') return remedy;
  if (meaning === 'token') return said('Let WECHAT_ACCESS_TOKEN_URL serve the token of this very AppID.');
  if (meaning === 'rate') return said('Try again in a minute.');
  if (meaning === 'quota') return said("The day's calls are used up: look who makes so many.");
  return said("Try again; if it stays, look the code up in WeChat's list of return codes.");
}

/** Requests as WeChat makes them on the server URL, made by ourselves to see who answers. */

interface Sealing {
  account: Pick<WechatAccount, 'appId' | 'tokens' | 'encodingAesKeys'>;
  /** ms since 1970. */
  at: number;
  random: (bytes: number) => Uint8Array;
}

/**
 * The check of the server URL: a bot returns the echostr and does nothing else.
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
function knock(sealing: Sealing): Knock {
  const echostr = digits(sealing, 16);
  const query = new URLSearchParams({ ...signed(sealing), echostr });
  return { method: 'GET', rawQuery: query.toString(), headers: [], body: null, expects: echostr };
}

/** A text, in compatible mode where there is a key: whichever mode the bot expects, it finds its own. */
function messageKnock(sealing: Sealing): Knock {
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
