import {
  type Agent,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Observe } from '../core/notice.ts';
import type { GatewayPlatform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { idOf, type Place } from '../core/roster.ts';
import { exchangeRead } from './calls.ts';
import { type Api, createApi, exchange, type Exchange } from './exchange.ts';
import { type GatewayAccess, routeOf } from './route.ts';
import type { GatewayWatch } from './watch.ts';

interface GatewayAccount {
  /** Where its API is: every call goes below this URL. */
  base: string;
  platform: GatewayPlatform;
  /** The connections to it. @default those that `agentFor` names */
  agent?: Agent;
}

interface GatewayOptions {
  access: GatewayAccess;
  /** The account as it stands now; null: there is none. */
  accountOf: (place: Place) => GatewayAccount | null;
  agentFor: (url: string) => Agent;
  watch: GatewayWatch;
  /** Resolves when a wrong key may be refused. @default at once */
  guessed?: (caller: IncomingMessage) => Promise<void>;
  clock: Pick<Clock, 'now'>;
  log: Log;
  /** Is told what a read call cost. @default nobody */
  observe?: Observe | undefined;
  /** A call on which nothing moves for so long is given up (ms). @default 120000 */
  idleMs?: number;
}

/** A handler for node:http, and for express before anything that reads bodies. */
export type Gateway = (request: IncomingMessage, response: ServerResponse) => void;

interface OpenedAccount {
  api: Api;
  platform: GatewayPlatform;
}

/** Whether a request is the gateway's, by its URL; also one that names a whole URL, to be refused. */
export function isForGateway(url: string): boolean {
  return url.startsWith('/gateway/') || /^https?:\/\/[^/]*\/gateway\//i.test(url);
}

/**
 * Passes the bot's own API calls on unchanged, `/gateway/<channel>/<account>/…` (`/gateway/<key>/…` with a key) to the
 * account's API base and nowhere else, and reads what they say about a user's wait.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { access, watch, clock, log, observe, guessed } = options;
  const baseOf = createBases(options);
  return (request, response) => {
    const route = routeOf({ access, baseOf }, request);
    if (route.is === 'refusal') {
      const isGuess = route.isGuess === true && guessed !== undefined;
      return isGuess ? void guessed(request).then(() => refuse(response, route)) : refuse(response, route);
    }
    const { api, platform } = route.base;
    const call: Exchange = {
      request,
      response,
      api,
      target: `${route.path}${route.query}`,
      body: null,
      told: null,
      failed: (reason) => fail(response, { api, platform, log, reason }),
    };
    if (!platform.ownCalls.reads(request.method ?? '', route.path)) exchange(call);
    else exchangeRead({ platform, watch, clock, log, observe }, call, route.path);
  };
}

/** What a call needs of its account is made once, for as long as the account stays as it is. */
function createBases(options: GatewayOptions): (place: Place) => OpenedAccount | null {
  const made = new WeakMap<GatewayPlatform, OpenedAccount>();
  return (place) => {
    const account = options.accountOf(place);
    if (account === null) return null;
    const served = made.get(account.platform) ?? serve(account, options);
    made.set(account.platform, served);
    return served;
  };
}

function serve(account: GatewayAccount, { agentFor, idleMs = 120_000 }: GatewayOptions): OpenedAccount {
  const { base, platform, agent = agentFor(base) } = account;
  return { platform, api: createApi(base, { agent, idleMs }) };
}

/** An SDK that asks for no status knows a refusal by these: WeChat's `errcode`, NXCloud's `code`. */
function refuse(response: ServerResponse, { status, error }: { status: number; error: string }): void {
  const text = JSON.stringify({ error, errcode: status, errmsg: error, code: status, message: error });
  say(response, { status, type: 'application/json', text });
}

/** No JSON: an SDK that looks for an errcode in it, and finds none, would take it for a success. */
function fail(
  response: ServerResponse,
  { api, platform, log, reason }: OpenedAccount & { log: Log; reason: string },
): void {
  const id = idOf(platform);
  log.warn({ account: id, reason }, "The platform's API gave a call of the bot no answer.");
  const text = `${api.host} gave the gateway no answer (${reason}): check apiBase of ${id} and the way there.`;
  say(response, { status: 502, type: 'text/plain', text });
}

interface Said {
  status: number;
  type: string;
  text: string;
}

function say(response: ServerResponse, { status, type, text }: Said): void {
  const headers = { 'Content-Type': `${type}; charset=utf-8`, 'Content-Length': Buffer.byteLength(text) };
  // By name: the words of an answer that could not be written may stand there still.
  response.writeHead(status, STATUS_CODES[status], headers).end(text);
}

/** The gateway streams what it passes on: it comes before everything that reads. */
export function withGateway(gateway: Gateway, otherwise: RequestListener): RequestListener {
  return (request, response) =>
    isForGateway(request.url ?? '') ? gateway(request, response) : otherwise(request, response);
}
