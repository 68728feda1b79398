/**
 * The authorization events of a third-party platform: the ticket, and who authorises it.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
 */
import { createHash } from 'node:crypto';
import type { WechatAccount } from '../account.ts';
import { explain } from '../api.ts';
import { textOf } from '../body.ts';
import type { Outcome, OwnCalls, Platform, Received } from '../../core/platform.ts';
import type { Clock, Log } from '../../core/ports.ts';
import {
  appIdPattern,
  authorizerName,
  behindOf,
  eventsName,
  type Place,
  type SwitchedOff,
} from '../../core/roster.ts';
import { said } from '../../core/said.ts';
import type { Fields, RawPush } from '../../core/wire.ts';
import { acknowledgement } from '../index.ts';
import { admitPush, openPush, shakeHands } from '../receive.ts';
import { wechatRules } from '../rules.ts';
import type { KeptTokens } from '../token.ts';
import type { WechatComponent } from './component.ts';
import type { ComponentSecrets } from './secrets.ts';
import { noTicket } from './tokens.ts';

/** `at`: when WeChat says that it was, in ms since 1970. */
export type ComponentEvent = { at: number } & (
  | { is: 'ticket'; ticket: string }
  /** Also an authorization that has changed. `expiresAt`: of the code; null: not said. */
  | { is: 'authorized'; appId: string; code: string; expiresAt: number | null }
  | { is: 'unauthorized'; appId: string }
  | { is: 'other' }
);

interface ComponentEventsDeps {
  /** ms since 1970. */
  now: () => number;
  /** Takes what an authentic event says. Never throws. */
  hear: (event: ComponentEvent) => Promise<void>;
}

const unread: OwnCalls = { reads: () => false, read: () => null, verdict: () => ({ is: 'unknown' }) };
const nobody = {
  is: 'account-off',
  code: 0,
  remedy: said('A third-party platform itself has no users.'),
} as const;

/** The component itself as an account, whose pushes are its events and whose bot is the vendor's own service. */
export function createComponentEvents(component: WechatComponent, deps: ComponentEventsDeps): Platform {
  const keys = {
    ...component,
    component: component.appId,
    encryption: 'require',
    pushAgeMs: component.template.pushAgeMs,
  } as const;
  return {
    channel: 'wechat',
    account: eventsName(component.name),
    rules: { ...wechatRules, mode: 'off' },
    needsMessageId: false,
    acknowledgement,
    ownCalls: unread,
    explain,
    handshake: (rawQuery) => shakeHands(rawQuery, keys),
    admit: ({ rawQuery }) => admitPush(rawQuery, keys, deps.now() / 1000),
    receive: (push) => receiveEvent(push, keys, deps),
    show: async () => nobody,
    refer: (_, messageId) => ({ turn: messageId, messageId }),
    // Whatever the vendor's service answers, WeChat gets it while it waits; nothing of it is for a user.
    readAnswer: async () => ({ is: 'acknowledgement' }),
    sendLate: async () => ({ is: 'impossible', reason: 'the answer to an authorization event has no user' }),
  };
}

type EventKeys = WechatComponent & Pick<WechatAccount, 'encryption' | 'pushAgeMs'> & { component: string };

async function receiveEvent(
  push: RawPush,
  keys: EventKeys,
  { now, hear }: ComponentEventsDeps,
): Promise<Received> {
  const body = openPush(push, keys, { now: now() / 1000, isAsked: () => true });
  if (body.is === 'refusal') return body;
  await hear(readEvent(body.fields, now()));
  // Each delivery travels on, repeats included: the vendor's service may have failed on the one before.
  const key = createHash('sha256').update(push.rawQuery).update(body.text).digest('hex');
  return { is: 'push', key, happenings: [], ...(body.byPrevious ? { byPrevious: true } : {}) };
}

/** @param now ms since 1970, for an event without a time */
function readEvent(fields: Fields, now: number): ComponentEvent {
  const type = textOf(fields, 'InfoType');
  const at = millisecondsOf(fields, 'CreateTime') ?? now;
  const ticket = textOf(fields, 'ComponentVerifyTicket');
  if (type === 'component_verify_ticket' && ticket) return { is: 'ticket', ticket, at };
  const appId = textOf(fields, 'AuthorizerAppid') ?? '';
  if (!appIdPattern.test(appId)) return { is: 'other', at };
  if (type === 'unauthorized') return { is: 'unauthorized', appId, at };
  const code = textOf(fields, 'AuthorizationCode');
  if ((type !== 'authorized' && type !== 'updateauthorized') || !code) return { is: 'other', at };
  const expiresAt = millisecondsOf(fields, 'AuthorizationCodeExpiredTime');
  return { is: 'authorized', appId, code, expiresAt, at };
}

function millisecondsOf(fields: Fields, name: string): number | null {
  const seconds = textOf(fields, name);
  return seconds !== null && /^\d{1,12}$/.test(seconds) ? Number(seconds) * 1000 : null;
}

/** What follows from an authorization event. */

interface ListenerDeps {
  /** The component's name, for the log. */
  name: string;
  /** null: the vendor's own service keeps the tokens, and an exchanged code would be lost to it. */
  secrets: ComponentSecrets | null;
  tokensOf: (appId: string) => Pick<KeptTokens, 'get' | 'forget'>;
  /** Hears what changed. Never throws. */
  told: (news: News) => void;
  clock: Clock;
  log: Log;
}

/** `withdrawn`: the account can be typed for no more; `granted`: it can again. */
export type News = { is: 'ticket' } | { is: 'granted' | 'withdrawn'; appId: string };

/** What news means to the typing of the accounts behind a component. */
export type TypingSwitch =
  | { is: 'off'; place: Place; why: Extract<Outcome, { is: 'account-off' }> }
  | { is: 'on'; place: Place }
  /** Of the accounts that are off, those are on again which were refused with such a code. */
  | { is: 'mended'; mends: (off: SwitchedOff) => boolean };

/** 61003: component is not authorized. What WeChat will say to the next call, said before it. */
const withdrawn = {
  is: 'account-off',
  code: 61003,
  remedy: said(
    'The account has withdrawn its authorization of the third-party platform: let it authorise again.',
  ),
} as const;

/** For want of a ticket: it was expired or invalid; or there was none, which has no code of WeChat's. */
const ofTicket: ReadonlySet<number> = new Set([61005, 61006]);

/** @param component its name */
export function switchOf(component: string, news: News): TypingSwitch {
  if (news.is === 'ticket') {
    const mends = ({ channel, account, code, remedy }: SwitchedOff): boolean =>
      channel === 'wechat' &&
      behindOf(account)?.component === component &&
      (ofTicket.has(code) || (code === 0 && remedy === noTicket));
    return { is: 'mended', mends };
  }
  const place = { channel: 'wechat', account: authorizerName(component, news.appId) };
  return news.is === 'granted' ? { is: 'on', place } : { is: 'off', place, why: withdrawn };
}

/** Redis may be away for as long; WeChat does not say that it tells of an authorization twice (ms). */
const pauses = [1_000, 5_000, 15_000, 60_000, 300_000];
/** With nothing to hold it against, an older word of a withdrawal may be a replay (ms). */
const staleMs = 60 * 60_000;
/** Of a code whose end is not said. */
const codeMs = 60 * 60_000;
const codeMostMs = 24 * 60 * 60_000;

/** Takes events. Resolves when the first try to keep them is over; further ones follow by themselves. Never throws. */
export function createListener(deps: ListenerDeps): (event: ComponentEvent) => Promise<void> {
  return async (event) => {
    const failed = await tryOnce(deps, event);
    if (failed) void tryOn(deps, event);
  };
}

async function tryOnce(deps: ListenerDeps, event: ComponentEvent): Promise<boolean> {
  try {
    await take(deps, event);
    return false;
  } catch {
    return true;
  }
}

async function tryOn(deps: ListenerDeps, event: ComponentEvent): Promise<void> {
  for (const pause of pauses) {
    await deps.clock.sleep(pause);
    if (!(await tryOnce(deps, event))) return;
  }
  deps.log.error(
    { component: deps.name, event: event.is },
    'An authorization event could not be kept: Redis was out of reach.',
  );
}

async function take({ secrets, told, clock, ...deps }: ListenerDeps, event: ComponentEvent): Promise<void> {
  switch (event.is) {
    case 'ticket':
      await secrets?.keepTicket({ secret: event.ticket, at: event.at });
      return told({ is: 'ticket' });
    case 'authorized': {
      const { appId, code: secret, at, expiresAt } = event;
      const ttlMs = (expiresAt ?? clock.now() + codeMs) - clock.now();
      const held = await secrets?.refreshToken(appId);
      if (ttlMs <= 0 || (held && held.at > at)) return;
      await secrets?.keepCode(appId, { secret, at }, Math.min(ttlMs, codeMostMs));
      deps.log.info({ component: deps.name, appId }, 'An account has authorised the third-party platform.');
      // A replayed word of it has a code that WeChat refuses.
      void fetchAnew(deps, appId).then((isRefused) => isRefused || told({ is: 'granted', appId }));
      return;
    }
    case 'unauthorized': {
      const stands = secrets
        ? await secrets.withdraw(event.appId, event.at)
        : clock.now() - event.at < staleMs;
      if (!stands) return;
      await deps.tokensOf(event.appId).forget();
      return told({ is: 'withdrawn', appId: event.appId });
    }
    case 'other':
      return;
  }
}

/**
 * At once: a code is short-lived, and it is exchanged when the next token is fetched. Resolves with whether WeChat gave
 * none. Never throws.
 */
async function fetchAnew({ tokensOf }: Pick<ListenerDeps, 'tokensOf'>, appId: string): Promise<boolean> {
  const tokens = tokensOf(appId);
  await tokens.forget();
  return (await tokens.get()).is === 'token-refused';
}
