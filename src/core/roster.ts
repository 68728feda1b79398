/** One account as a process serves it, and all of them. */
import type { BotRetry } from './bot.ts';
import { isChannel, type Platform } from './platform.ts';
import type { Evidence } from './state.ts';
import type { Send } from './wire.ts';

export interface ServedBot {
  url: string;
  /** `job`: through the reply queue; `pass`: each delivery handed on at once. */
  mode: 'job' | 'pass';
  timeoutMs: number;
  retry: BotRetry;
  /** Calls of it that one process may have under way; null: no limit of its own. */
  concurrency: number | null;
  /** It lives on the platform's repeats: where the platform would deliver the push again, it is called again. @default false */
  redeliver?: boolean;
  /** Makes the calls to it. @default as to any other bot */
  send?: Send;
}

/** Without a bot the account is only observed. */
export interface Served {
  platform: Platform;
  /** Where the platform's API is, for this account. */
  apiBase: string;
  bot: ServedBot | null;
}

/** The accounts of this process, as they stand now: they can change while it runs. */
export interface Roster {
  /** Those that are made on demand are not among them. */
  all(): readonly Served[];
  /** null: no account of that name is served. */
  of(place: Place): Served | null;
  /** What a webhook URL may mean: the account of that name; without a name all of the channel, `default` first. */
  find(channel: string, name: string | undefined): readonly Served[];
}

interface ChangingRoster extends Roster {
  replace(all: readonly Served[]): void;
}

interface RosterOptions {
  /** Makes an account that nobody configured by itself, such as one behind a third-party platform. @default none */
  more?: (place: Place) => Served | null;
}

export function createRoster(first: readonly Served[], { more }: RosterOptions = {}): ChangingRoster {
  let all: readonly Served[] = [];
  let byName: ReadonlyMap<string, Served> = new Map();
  const replace = (next: readonly Served[]): void => {
    all = next;
    byName = new Map(next.map((served) => [idOf(served.platform), served]));
  };
  replace(first);
  const of = (place: Place): Served | null => byName.get(idOf(place)) ?? more?.(place) ?? null;
  return {
    replace,
    of,
    all: () => all,
    find: (channel, account) => {
      if (!isChannel(channel)) return [];
      if (account !== undefined) return [of({ channel, account }) ?? []].flat();
      const here = all.filter(({ platform }) => platform.channel === channel);
      return here.toSorted(
        (a, b) => Number(b.platform.account === 'default') - Number(a.platform.account === 'default'),
      );
    },
  };
}

/** An account's name stands in URLs and in Redis keys, apart from its neighbours by a slash. */
const accountNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$';

/** …and of one behind a third-party platform: `<component>.<its AppID>`. */
export const servedNamePattern = accountNamePattern.replace(/\$$/, '(\\.(wx[0-9a-f]{16}|events))?$');

export function isAccountName(name: string): boolean {
  return new RegExp(accountNamePattern).test(name);
}

/**
 * How accounts behind a WeChat third-party platform (开放平台第三方平台, "component") are called here:
 * `<component>.<AppID>`. Names that somebody gives hold no dot, so nothing clashes.
 */

/** As WeChat makes AppIDs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html */
export const appIdPattern = /^wx[0-9a-f]{16}$/;

const events = 'events';

/** What a name with a dot means; `appId` null: the component's own authorization events. */
interface Behind {
  component: string;
  appId: string | null;
}

export function authorizerName(component: string, appId: string): string {
  return `${component}.${appId}`;
}

/** The account under which the component's authorization events travel. */
export function eventsName(component: string): string {
  return `${component}.${events}`;
}

/** null: no account behind a component is called so. */
export function behindOf(account: string): Behind | null {
  const dot = account.indexOf('.');
  const [component, rest] = [account.slice(0, Math.max(dot, 0)), account.slice(dot + 1)];
  if (component === '') return null;
  if (rest === events) return { component, appId: null };
  return appIdPattern.test(rest) ? { component, appId: rest } : null;
}

/** A template's URL for one account: `{appid}` filled in. */
export function fillAppId(url: string, appId: string): string {
  return url.replaceAll('{appid}', appId);
}

/** What is noted of an account as it runs, for whoever asks later what works. */

/** From the oldest (s). */
export const ages = [
  { sight: 'aged-12-h', from: 12 * 3600 },
  { sight: 'aged-1-h', from: 3600 },
  { sight: 'aged-1-min', from: 60 },
] as const;

export type Sight =
  /** A message or an act of a user has arrived. */
  | 'message'
  /** A status of a message to a user has arrived. */
  | 'status'
  /** A message followed the one that had ended the wait. */
  | 'more'
  /** An answer came too late whose kind no API can send. */
  | 'impossible'
  /** A push was signed or encrypted, or a call authorised, by the previous secret. */
  | 'previous-secret'
  /** A push was taken; those that were not, and why. To the minute. */
  | 'taken'
  | `refused ${string}`
  /** A push was taken whose timestamp was so old. */
  | (typeof ages)[number]['sight']
  /** A turn was ended by this. */
  | `end-by-${Evidence}`;

/** When each was last seen, in ms since 1970, to the hour where nothing else is said. */
export type Sights = Readonly<Partial<Record<Sight, number>>>;

/** Whose it is. `control/token`: the control API. */
export interface Place {
  channel: string;
  account: string;
}

/** An account whose typing the platform has refused last: its code, and what mends it. */
export interface SwitchedOff extends Place {
  code: number;
  remedy: string;
}

/** The platforms of those that the roster serves. */
export function platformsOf(roster: Pick<Roster, 'of'>): (place: Place) => Platform | null {
  return (place) => roster.of(place)?.platform ?? null;
}

/** Its name apart from all others: `channel/account`. */
export function idOf({ channel, account }: Place): string {
  return `${channel}/${account}`;
}

/** Takes a note. `at`: when it was (ms). @default now. Never throws, never waits. */
export type Saw = (place: Place, sights: readonly Sight[], at?: number) => void;

/** Where a name stands from 0 up to 1, always the same: FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
export function fractionOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return ((hash >>> 0) % 10_000) / 10_000;
}
