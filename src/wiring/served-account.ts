import type { Account, Config } from '../config/index.ts';
import type { Platform } from '../core/platform.ts';
import type { Served } from '../core/served.ts';

/** The account with its bot, as a process serves it. */
export function serve(
  account: Account,
  { botTimeoutMs: timeoutMs, botRetry: retry }: Pick<Config, 'botTimeoutMs' | 'botRetry'>,
  platform: Platform,
): Served {
  const { apiBase, botUrl: url, botMode: mode, replyConcurrency: concurrency } = account;
  return { platform, apiBase, bot: url === null ? null : { url, mode, timeoutMs, retry, concurrency } };
}
