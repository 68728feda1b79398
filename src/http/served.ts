import type { BotRetry } from '../core/forward.ts';
import type { Channel, Platform } from '../core/platform.ts';

export interface ServedBot {
  url: string;
  /** `job`: through the reply queue; `pass`: each delivery handed on at once. */
  mode: 'job' | 'pass';
  timeoutMs: number;
  retry: BotRetry;
}

/** One account as the web serves it. Without a bot it only observes. */
export interface Served {
  platform: Platform;
  /** Where the platform's API is, for this account. */
  apiBase: string;
  bot: ServedBot | null;
}

/** The accounts of this process. */
export interface Accounts {
  /** The account of that name; without a name all that a nameless webhook URL may mean, `default` first. */
  find(channel: string, name: string | undefined): readonly Served[];
}

const channels: readonly string[] = ['wechat', 'nxcloud'] satisfies Channel[];

export function createServedAccounts(all: readonly Served[]): Accounts {
  return {
    find: (channel, name) => {
      if (!channels.includes(channel)) return [];
      const here = all.filter(({ platform }) => platform.channel === channel);
      if (name !== undefined) return here.filter(({ platform }) => platform.account === name);
      return here.toSorted(
        (a, b) => Number(b.platform.account === 'default') - Number(a.platform.account === 'default'),
      );
    },
  };
}
