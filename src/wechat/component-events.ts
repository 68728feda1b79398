/**
 * The authorization events of a third-party platform: the ticket, and who authorises it.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
 */
import { createHash } from 'node:crypto';
import type { OwnCalls, Platform, Received } from '../core/platform.ts';
import { appIdPattern, eventsName } from '../core/roster.ts';
import type { RawPush } from '../core/wire.ts';
import { explain } from './api.ts';
import { type Fields, textOf } from './body.ts';
import type { WechatComponent } from './component.ts';
import { acknowledgement } from './index.ts';
import { openPush, shakeHands } from './receive.ts';
import { wechatRules } from './rules.ts';

/** `at`: when WeChat says that it was, in ms since 1970. */
export type ComponentEvent = { at: number } & (
  | { is: 'ticket'; ticket: string }
  /** Also an authorization that has changed. `expiresAt`: of the code; null: not said. */
  | { is: 'authorized'; appId: string; code: string; expiresAt: number | null }
  | { is: 'unauthorized'; appId: string }
  | { is: 'other' }
);

export interface ComponentEventsDeps {
  /** ms since 1970. */
  now: () => number;
  /** Takes what an authentic event says. Never throws. */
  hear: (event: ComponentEvent) => Promise<void>;
}

const unread: OwnCalls = { reads: () => false, read: () => null, verdict: () => ({ is: 'unknown' }) };
const nobody = { is: 'account-off', code: 0, remedy: 'A third-party platform itself has no users.' } as const;

/** The component itself as an account, whose pushes are its events and whose bot is the vendor's own service. */
export function createComponentEvents(component: WechatComponent, deps: ComponentEventsDeps): Platform {
  const keys = { ...component, component: component.appId };
  return {
    channel: 'wechat',
    account: eventsName(component.name),
    rules: { ...wechatRules, mode: 'off' },
    needsMessageId: false,
    acknowledgement,
    ownCalls: unread,
    explain,
    handshake: (rawQuery) => shakeHands(rawQuery, keys),
    receive: (push) => receiveEvent(push, keys, deps),
    show: async () => nobody,
    refer: (_, messageId) => ({ turn: messageId, messageId }),
    // Whatever the vendor's service answers, WeChat gets it while it waits; nothing of it is for a user.
    readAnswer: async () => ({ is: 'acknowledgement' }),
    sendLate: async () => ({ is: 'impossible', reason: 'the answer to an authorization event has no user' }),
  };
}

type EventKeys = WechatComponent & { component: string };

async function receiveEvent(
  push: RawPush,
  keys: EventKeys,
  { now, hear }: ComponentEventsDeps,
): Promise<Received> {
  const body = openPush(push, keys);
  if (body.is === 'refusal') return body;
  await hear(readEvent(body.fields, now()));
  // Each delivery travels on, repeats included: the vendor's service may have failed on the one before.
  const key = createHash('sha256').update(push.rawQuery).update(body.text).digest('hex');
  return { is: 'push', key, happenings: [], ...(body.byPrevious ? { byPrevious: true } : {}) };
}

/** @param now ms since 1970, for an event without a time */
export function readEvent(fields: Fields, now: number): ComponentEvent {
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
