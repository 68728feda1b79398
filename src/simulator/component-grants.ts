/**
 * What WeChat has granted to a third-party platform: tickets, its own tokens, and each account's authorization.
 * Source: https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getauthorizeraccesstoken.html
 */
import { check, createLedger, issue, type Ledger, type LedgerOptions } from './component-ledger.ts';
import type { JsonObject } from './server.ts';

/** WeChat's code, or what is answered with 0. */
export type Granted = { code: number } | { json: object };

export interface Grants {
  ticket(): string;
  /** The tickets so far are good for nothing. */
  spoilTickets(): void;
  /** The account authorises the platform, or changes what it allows: an authorization code. */
  authorise(appId: string): { code: string; expiresAt: number };
  withdraw(appId: string): void;
  /** As somebody has it who refreshes by other means. */
  grant(appId: string): {
    authorizer_access_token: string;
    expires_in: number;
    authorizer_refresh_token: string;
  };
  expireTokens(): void;
  component(asked: JsonObject): Granted;
  exchange(token: string | null, asked: JsonObject): Granted;
  renew(token: string | null, asked: JsonObject): Granted;
  /** Whose token it is, or WeChat's code. */
  bearerOf(token: string | null): string | 40001 | 41001 | 42001 | 61003;
}

export function createGrants(options: LedgerOptions): Grants {
  const state = createLedger(options);
  const { rules, now, appId: self } = options;
  const make = (kind: 'tickets' | 'codes', appId: string, lifetime: number): string =>
    issue(state, kind, { appId, until: now() + lifetime });
  return {
    ticket: () => make('tickets', self, rules.ticketLifetime),
    spoilTickets: () => state.tickets.clear(),
    authorise(appId) {
      state.authorised.add(appId);
      return { code: make('codes', appId, rules.codeLifetime), expiresAt: now() + rules.codeLifetime };
    },
    withdraw: (appId) => withdraw(state, appId),
    grant: (appId) => accessFor(state, appId, issue(state, 'refresh', { appId, until: Infinity })),
    expireTokens() {
      for (const held of [...state.own.values(), ...state.access.values()]) held.until = now();
    },
    component: (asked) => grantOwn(state, asked),
    exchange: (token, asked) => exchange(state, token, asked),
    renew: (token, asked) => renew(state, token, asked),
    bearerOf: (token) => bearerOf(state, token),
  };
}

function withdraw({ authorised, refresh }: Ledger, appId: string): void {
  authorised.delete(appId);
  for (const [token, held] of refresh) if (held.appId === appId) refresh.delete(token);
}

function grantOwn(state: Ledger, asked: JsonObject): Granted {
  if (asked['component_appid'] !== state.appId) return { code: 40013 };
  if (asked['component_appsecret'] !== state.appSecret) return { code: 40125 };
  const ticket = check(state, state.tickets, asked['component_verify_ticket']);
  if (typeof ticket === 'string') return { code: ticket === 'over' ? 61005 : 61006 };
  const { tokenLifetime } = state.rules;
  const token = issue(state, 'own', { appId: state.appId, until: state.now() + tokenLifetime });
  return { json: { component_access_token: token, expires_in: tokenLifetime / 1000 } };
}

/** 0, or WeChat's code. */
function refused(state: Ledger, token: string | null, asked: JsonObject): number {
  const own = check(state, state.own, token);
  if (typeof own === 'string') return own === 'over' ? 42001 : 40001;
  return asked['component_appid'] === state.appId ? 0 : 40013;
}

function exchange(state: Ledger, token: string | null, asked: JsonObject): Granted {
  const code = refused(state, token, asked);
  if (code !== 0) return { code };
  const held = check(state, state.codes, asked['authorization_code']);
  if (typeof held === 'string') return { code: held === 'over' ? 61010 : 61009 };
  state.codes.delete(String(asked['authorization_code']));
  const refresh = issue(state, 'refresh', { appId: held.appId, until: Infinity });
  const granted = accessFor(state, held.appId, refresh);
  return { json: { authorization_info: { authorizer_appid: held.appId, ...granted, func_info: [] } } };
}

function renew(state: Ledger, token: string | null, asked: JsonObject): Granted {
  const code = refused(state, token, asked);
  if (code !== 0) return { code };
  const appId = String(asked['authorizer_appid']);
  if (!state.authorised.has(appId)) return { code: 61003 };
  const refresh = String(asked['authorizer_refresh_token']);
  const held = check(state, state.refresh, refresh);
  if (typeof held === 'string' || held.appId !== appId) return { code: 61023 };
  if (!state.rules.rotates) return { json: accessFor(state, appId, refresh) };
  held.until = Math.min(held.until, state.now() + state.rules.refreshOverlap);
  return { json: accessFor(state, appId, issue(state, 'refresh', { appId, until: Infinity })) };
}

function accessFor(state: Ledger, appId: string, authorizer_refresh_token: string) {
  const { tokenLifetime } = state.rules;
  const authorizer_access_token = issue(state, 'access', { appId, until: state.now() + tokenLifetime });
  return { authorizer_access_token, expires_in: tokenLifetime / 1000, authorizer_refresh_token };
}

function bearerOf(state: Ledger, token: string | null): string | 40001 | 41001 | 42001 | 61003 {
  if (token === null || token === '') return 41001;
  const held = check(state, state.access, token);
  if (typeof held === 'string') return held === 'over' ? 42001 : 40001;
  return state.authorised.has(held.appId) ? held.appId : 61003;
}
