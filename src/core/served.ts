/** One account as a process serves it, and all of them. */
import type { Channel } from './conversation.ts';
import type { BotRetry } from './forward.ts';
import type { Platform } from './platform.ts';
import { idOf, type Place } from './sight.ts';
import type { Send } from './wire.ts';

export interface ServedBot {
  url: string;
  /** `job`: through the reply queue; `pass`: each delivery handed on at once. */
  mode: 'job' | 'pass';
  timeoutMs: number;
  retry: BotRetry;
  /** Calls of it that one process may have under way; null: no limit of its own. */
  concurrency: number | null;
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

export interface ChangingRoster extends Roster {
  replace(all: readonly Served[]): void;
}

const channels: readonly string[] = ['wechat', 'nxcloud'] satisfies Channel[];

export interface RosterOptions {
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
      if (!channels.includes(channel)) return [];
      if (account !== undefined) return [of({ channel, account }) ?? []].flat();
      const here = all.filter(({ platform }) => platform.channel === channel);
      return here.toSorted(
        (a, b) => Number(b.platform.account === 'default') - Number(a.platform.account === 'default'),
      );
    },
  };
}

/** An account's name stands in URLs and in Redis keys, apart from its neighbours by a slash. */
export const accountNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$';

/** …and of one behind a third-party platform: `<component>.<its AppID>`. */
export const servedNamePattern = accountNamePattern.replace(/\$$/, '(\\.(wx[0-9a-f]{16}|events))?$');

export function isAccountName(name: string): boolean {
  return new RegExp(accountNamePattern).test(name);
}
