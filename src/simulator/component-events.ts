/**
 * The authorization events that WeChat sends to a third-party platform.
 * Source: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
 */
import type { Grants } from './component-grants.ts';
import { deliver, type Delivery, withQuery } from './deliver.ts';
import { type Random, randomText } from './faults.ts';
import type { WechatAccountOptions } from './wechat-account.ts';
import { encrypt, type Fields, renderBody, sha1Signature } from './wechat-sealed.ts';

export interface ComponentEvents {
  /** The ticket that comes every 10 minutes. */
  sendTicket(): Promise<Delivery>;
  /** `again`: what was authorised has changed. */
  authorise(appId: string, again?: 'again'): Promise<Delivery>;
  unauthorise(appId: string): Promise<Delivery>;
  /** An event of this InfoType. */
  sendEvent(type: string, fields?: Fields): Promise<Delivery>;
}

interface EventsOptions extends Pick<WechatAccountOptions, 'appId' | 'token' | 'encodingAesKey' | 'format'> {
  rules: { pushTimeout: number };
  grants: Grants;
  url: () => string;
  now: () => number;
  random: Random;
  closing: AbortSignal;
}

export function createComponentEvents(options: EventsOptions): ComponentEvents {
  const { grants, random } = options;
  const sendEvent = (type: string, fields: Fields = {}): Promise<Delivery> => send(options, type, fields);
  return {
    sendEvent,
    sendTicket: () => sendEvent('component_verify_ticket', { ComponentVerifyTicket: grants.ticket() }),
    authorise(appId, again) {
      const { code, expiresAt } = grants.authorise(appId);
      return sendEvent(again ? 'updateauthorized' : 'authorized', {
        AuthorizerAppid: appId,
        AuthorizationCode: code,
        AuthorizationCodeExpiredTime: Math.floor(expiresAt / 1000),
        PreAuthCode: randomText(random, 40),
      });
    },
    unauthorise(appId) {
      grants.withdraw(appId);
      return sendEvent('unauthorized', { AuthorizerAppid: appId });
    },
  };
}

/** One delivery: no page says that an event is sent again. */
function send(options: EventsOptions, type: string, fields: Fields): Promise<Delivery> {
  const { appId, token, format, rules, random, now } = options;
  const timestamp = String(Math.floor(now() / 1000));
  const nonce = `1${randomText(random, 9, '0123456789')}`;
  const inner = { AppId: appId, CreateTime: Number(timestamp), InfoType: type, ...fields };
  const Encrypt = encrypt(options, renderBody(inner, format), randomText(random, 16));
  const query = new URLSearchParams({
    signature: sha1Signature(token, timestamp, nonce),
    timestamp,
    nonce,
    encrypt_type: 'aes',
    msg_signature: sha1Signature(token, timestamp, nonce, Encrypt),
  });
  const post = {
    method: 'POST',
    url: withQuery(options.url(), query.toString()),
    headers: { 'content-type': 'text/xml' },
    body: renderBody({ AppId: appId, Encrypt }, format),
    timeoutMs: rules.pushTimeout,
    signal: options.closing,
  } as const;
  return deliver(post, now);
}
