/**
 * WeChat's two kinds of access token, isolated from each other.
 * Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
 */
import type { WechatRules } from './wechat-rules.ts';

/** A forced refresh within this many ms of the last one changes nothing. */
const FORCE_APART = 30_000;

interface Token {
  text: string;
  until: number;
}

export interface Granted {
  access_token: string;
  /** Seconds. */
  expires_in: number;
}

export interface Tokens {
  /** `/cgi-bin/stable_token`: the same one until its last minutes; `force` replaces it and kills it. */
  stable(force: boolean): Granted;
  /** `/cgi-bin/token`: a new one each time; the one before is good for another five minutes at most. */
  fresh(): Granted;
  /** 0, or WeChat's code. */
  check(token: string | null): 0 | 41001 | 40001 | 42001;
  /** Every token so far is expired (42001) from now on. */
  expireAll(): void;
  /** Every token so far is unknown (40001) from now on. */
  revokeAll(): void;
}

interface TokenOptions {
  rules: WechatRules;
  now: () => number;
  /** A new token's text. */
  create: () => string;
}

interface State extends TokenOptions {
  known: Map<string, Token>;
  stable: Token | null;
  fresh: Token | null;
  forcedAt: number;
}

export function createTokens(options: TokenOptions): Tokens {
  const state: State = { ...options, known: new Map(), stable: null, fresh: null, forcedAt: -Infinity };
  return {
    stable: (force) => grant(state, stableToken(state, force)),
    fresh: () => grant(state, freshToken(state)),
    check: (token) => check(state, token),
    expireAll() {
      for (const token of state.known.values()) token.until = Math.min(token.until, state.now());
    },
    revokeAll() {
      state.known.clear();
      state.stable = null;
      state.fresh = null;
    },
  };
}

function stableToken(state: State, force: boolean): Token {
  const current = state.stable;
  const forced = force && state.now() - state.forcedAt >= FORCE_APART;
  if (forced) state.forcedAt = state.now();
  if (current !== null && !forced && current.until - state.now() > state.rules.tokenRenewal) return current;
  if (current !== null && forced) state.known.delete(current.text);
  state.stable = create(state);
  return state.stable;
}

function freshToken(state: State): Token {
  if (state.fresh !== null) {
    state.fresh.until = Math.min(state.fresh.until, state.now() + state.rules.tokenRenewal);
  }
  state.fresh = create(state);
  return state.fresh;
}

function create(state: State): Token {
  const token = { text: state.create(), until: state.now() + state.rules.tokenLifetime };
  state.known.set(token.text, token);
  return token;
}

function grant({ now }: State, { text, until }: Token): Granted {
  return { access_token: text, expires_in: Math.floor((until - now()) / 1000) };
}

function check({ known, now }: State, text: string | null): 0 | 41001 | 40001 | 42001 {
  if (text === null || text === '') return 41001;
  const token = known.get(text);
  if (token === undefined) return 40001;
  return now() < token.until ? 0 : 42001;
}
