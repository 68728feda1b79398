/**
 * The tokens of a third-party platform that refreshes by itself: ticket, component_access_token, and each authorizer's
 * refresh token for its access token. All processes share them, and one at a time fetches.
 */
import type { Reply } from '../api.ts';
import type { Clock, Seal, SharedCache } from '../../core/ports.ts';
import { authorizerName } from '../../core/roster.ts';
import { said } from '../../core/said.ts';
import {
  tokenFault,
  type Fetched,
  fetchTold,
  keepTokens,
  type KeptTokens,
  type TokenDeps,
  type TokenFault,
  tokenOf,
  withToken,
} from '../token.ts';
import {
  type AuthorizerGrant,
  type ComponentApi,
  createComponentApi,
  readExchange,
  readRenewal,
} from './api.ts';
import type { WechatComponent } from './component.ts';
import type { ComponentSecrets, Dated, HeldRefreshToken } from './secrets.ts';

interface ComponentTokenDeps extends TokenDeps {
  secrets: ComponentSecrets;
  seal: Seal;
}

interface ComponentTokens {
  /** The platform's own token. */
  own: KeptTokens;
  /** The token keeper of one authorizer: one per process. */
  of(appId: string): KeptTokens;
}

/** Four calls of 3 s each at worst, and Redis: no lock may end before its fetch (ms). */
const exclusive = { ms: 20_000 };
/** The code is another account's, invalid, expired or used. WeChat will not say otherwise later. */
const codeIsOver: ReadonlySet<number> = new Set([0, 40029, 61009, 61010]);

export const noTicket = said(
  "WeChat's component_verify_ticket has not come in the last 12 hours: let the authorization event URL of the platform lead here.",
);
const noAuthorization = said(
  'The account has not authorised the platform while keeptyping listened: let it authorise again, or bring in its refresh token.',
);

/** While the key changes, other processes know one that this one does not: no reason to switch the account off for all. */
const stuck = {
  is: 'token-lost',
  cause: said('the secrets of the third-party platform were closed by another ACCOUNTS_KEY'),
} as const;

interface Asking {
  api: ComponentApi;
  /** The platform's own token. */
  component: KeptTokens;
  deps: ComponentTokenDeps;
  /** New refresh tokens, each kept before the access token that came with it is used. */
  unsaved: Unsaved;
}

export function createComponentTokens(component: WechatComponent, deps: ComponentTokenDeps): ComponentTokens {
  const api = createComponentApi(component, deps.send);
  const keep = (name: string, fetch: () => Promise<Fetched>): KeptTokens =>
    keepTokens(
      { name: `${component.appId}/${name}`, fetch, exclusive },
      { clock: deps.clock, cache: sealedCache(deps.cache, deps.seal) },
    );
  const own = keep('component', () => fetchOwn(api, deps).catch(unreachable));
  const asking: Asking = { api, component: own, deps, unsaved: createUnsaved(deps.clock) };
  const fetch = (appId: string): Promise<Fetched> => fetchFor(asking, appId).catch(unreachable);
  return {
    own,
    of: (appId) =>
      keep(appId, () => fetchTold(authorizerName(component.name, appId), () => fetch(appId), deps)),
  };
}

async function fetchOwn(api: ComponentApi, { secrets, clock, log }: ComponentTokenDeps): Promise<Fetched> {
  const ticket = await secrets.ticket();
  if (ticket === null)
    return (await secrets.isStuck('ticket')) ? stuck : { is: 'no-credentials', remedy: noTicket };
  const granted = await api.token(ticket);
  if (granted.is !== 'granted') return granted;
  log.debug({ seconds: granted.seconds }, 'component access token fetched');
  return { is: 'token', ...tokenOf(granted.token, granted, clock.now()) };
}

/** Whoever authorises anew has a code: it comes first. */
async function fetchFor(asking: Asking, appId: string): Promise<Fetched> {
  await asking.unsaved.saveLeft(appId);
  const { secrets } = asking.deps;
  const [code, held] = [await secrets.code(appId), await secrets.refreshToken(appId)];
  const exchanged =
    code && (held === null || held.at < code.at) ? await fetchByCode(asking, appId, code) : null;
  if (exchanged) return exchanged;
  if (held !== null) return renew(asking, appId, held);
  return (await secrets.isStuck({ appId })) ? stuck : { is: 'no-credentials', remedy: noAuthorization };
}

/** null: the code is good for nothing any more. */
async function fetchByCode(asking: Asking, appId: string, code: Dated): Promise<Fetched | null> {
  const { api, component, deps, unsaved } = asking;
  const { secrets, log } = deps;
  const reply = await withToken(component, (token) => api.exchangeCode(token, code.secret));
  const grant = isReply(reply) ? readExchange(reply, appId) : null;
  if (grant === null) {
    if (reply.is !== 'code' || !codeIsOver.has(reply.code)) return asFault(reply);
    log.warn({ appId, code: reply.code }, 'WeChat did not take the authorization code of an account.');
    await secrets.dropCode(appId);
    return null;
  }
  const { refreshToken: secret } = grant;
  if (secret !== null) {
    const token = { secret, at: code.at };
    await unsaved.save(appId, () => secrets.keepRefreshToken(appId, token));
  }
  await secrets.dropCode(appId).catch(() => {});
  return fetched(deps, appId, grant);
}

async function renew(asking: Asking, appId: string, held: HeldRefreshToken): Promise<Fetched> {
  const { api, component, deps, unsaved } = asking;
  const reply = await withToken(component, (token) => api.renew(token, appId, held.secret));
  const grant = isReply(reply) ? readRenewal(reply) : null;
  if (grant === null) return asFault(reply);
  if (grant.refreshToken !== null && grant.refreshToken !== held.secret) {
    await unsaved.save(appId, deps.secrets.renewal(appId, held, grant.refreshToken));
  }
  return fetched(deps, appId, grant);
}

function fetched({ clock, log }: ComponentTokenDeps, appId: string, grant: AuthorizerGrant): Fetched {
  log.debug({ appId, seconds: grant.seconds }, 'authorizer access token fetched');
  return { is: 'token', ...tokenOf(grant.token, grant, clock.now()) };
}

function isReply(reply: Reply | TokenFault): reply is Reply {
  return ['code', 'status', 'unreadable', 'lost'].includes(reply.is);
}

function asFault(reply: Reply | TokenFault): TokenFault {
  return isReply(reply) ? tokenFault(reply) : reply;
}

function unreachable(): TokenFault {
  return {
    is: 'token-lost',
    cause: said('Redis is out of reach: the secrets of the third-party platform are there'),
  };
}

/** The shared cache for one value that may not lie there open. What cannot be opened is not there. */
function sealedCache(cache: SharedCache, seal: Seal): SharedCache {
  /** How the value lies that was read last: only so can it be dropped. */
  let lies: { value: string; closed: string } | null = null;
  return {
    ...cache,
    async get(key) {
      const closed = await cache.get(key);
      const value = closed === null ? null : seal.open(closed, key);
      lies = closed === null || value === null ? null : { value, closed };
      return value;
    },
    set: (key, value, ttlMs) => cache.set(key, seal.seal(value, key), ttlMs),
    async drop(key, value) {
      if (lies?.value === value) await cache.drop(key, lies.closed);
    },
  };
}

/** What came in place of something used up, until it is kept: no other copy is left. */
interface Unsaved {
  /** Keeps it; rejects when that fails now. `save` may be carried out more than once. */
  save(name: string, save: () => Promise<unknown>): Promise<void>;
  /** Keeps what is left from before, if anything is. Rejects while it cannot be. */
  saveLeft(name: string): Promise<void>;
}

const tries = 3;
const pauseMs = 200;

function createUnsaved(clock: Clock): Unsaved {
  const left = new Map<string, () => Promise<unknown>>();
  const saveLeft = async (name: string): Promise<void> => {
    const save = left.get(name);
    if (!save) return;
    await insist(clock, save);
    left.delete(name);
  };
  return {
    saveLeft,
    save: (name, save) => {
      left.set(name, save);
      return saveLeft(name);
    },
  };
}

async function insist(clock: Clock, work: () => Promise<unknown>): Promise<void> {
  for (let left = tries; ; left -= 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (left <= 1) throw error;
      await clock.sleep(pauseMs);
    }
  }
}
