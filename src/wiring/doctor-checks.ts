/** What the doctor looks at, of this configuration. */
import type { Redis } from 'ioredis';
import type { Account, Config } from '../config/index.ts';
import type { Examiner, Finding } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Wanted } from '../doctor/arguments.ts';
import { examineBot } from '../doctor/bot.ts';
import type { Check } from '../doctor/check.ts';
import { examineClock, examineInfo, examineWorker } from '../doctor/redis.ts';
import { examineSights, previousFinding } from '../doctor/sights.ts';
import { examineWebhook } from '../doctor/webhook.ts';
import { createNxcloudExaminer } from '../nxcloud/check.ts';
import { createAccounts } from '../queue/accounts.ts';
import { keys } from '../queue/keys.ts';
import { sightsOf } from '../queue/sightings.ts';
import { createWechatExaminer } from '../wechat/check.ts';
import { controlToken } from './operator-guard.ts';
import type { Clients } from './platforms.ts';

export interface CheckParts {
  config: Config;
  wanted: Wanted;
  clients: Clients;
  /** Those of accounts that were set at run time: they reach only what such accounts may. */
  confined: Clients;
  /** Redis's time where there is one. */
  clock: Clock;
  log: Log;
  /** null: out of reach, or none. */
  redis: Redis | null;
  /** Where pushes arrive; null: nothing is known to listen. */
  webhookBase: string | null;
}

function elapsed(): number {
  return performance.now();
}

/** ms. A platform's call has 3 s of its own, twice. */
const limits = { redis: 5_000, platform: 15_000, knock: 10_000, webhook: 10_000 } as const;

export function createChecks(parts: CheckParts): Check[] {
  const { redis } = parts;
  return [
    ...(redis ? redisChecks(parts, redis) : []),
    ...parts.config.accounts.flatMap((account) => accountChecks(parts, account)),
  ];
}

/** Of an account that was set at run time. */
export function recordChecks(parts: CheckParts, account: Account): Check[] {
  return accountChecks(parts, account, parts.confined);
}

function redisChecks({ config }: CheckParts, redis: Redis): Check[] {
  const limitMs = limits.redis;
  const control = async (): Promise<Finding[]> => {
    const sights = sightsOf(await redis.hgetall(keys.seen), controlToken);
    return named('control token', [previousFinding(sights, Date.now())]);
  };
  return [
    { subject: 'Redis settings', limitMs, run: () => examineInfo(redis) },
    { subject: 'Redis clock', limitMs, run: () => examineClock(redis, Date.now) },
    { subject: 'worker', limitMs, run: () => examineWorker(redis, keys.heartbeat) },
    ...(config.controlTokens.length > 1 ? [{ subject: 'control token', limitMs, run: control }] : []),
  ];
}

function accountChecks(parts: CheckParts, account: Account, clients = parts.clients): Check[] {
  const { clock, log, redis, config, wanted, webhookBase } = parts;
  const name = `${account.channel}/${account.name}`;
  const platform = { send: clients.messages.send, clock, log };
  const examiner: Examiner =
    account.channel === 'wechat'
      ? createWechatExaminer(account, platform)
      : createNxcloudExaminer(account, platform);
  const check = (what: string, limitMs: number, run: () => Promise<Finding[]>): Check => ({
    subject: `${name} ${what}`,
    limitMs,
    run: async () => named(name, await run()),
  });
  const { push } = wanted;
  const checks = [check('platform', limits.platform, () => examiner.ask())];
  if (redis) checks.push(check('history', limits.redis, () => examineHistory(parts, account, redis)));
  if (account.botUrl !== null) {
    const bot = { url: account.botUrl, knockMs: limits.knock, messageMs: config.botTimeoutMs, push };
    const limitMs = limits.knock + (push ? config.botTimeoutMs : 0) + 1_000;
    checks.push(
      check('bot', limitMs, () => examineBot({ send: clients.bot.send, now: elapsed }, examiner, bot)),
    );
  }
  if (webhookBase !== null) {
    const webhook = { base: webhookBase, timeoutMs: limits.webhook, push };
    const send = parts.clients.messages.send;
    const limitMs = limits.webhook * (push ? 2 : 1) + 1_000;
    checks.push(check('webhook', limitMs, () => examineWebhook({ send, now: elapsed }, examiner, webhook)));
  }
  return checks;
}

async function examineHistory(
  { clock, log }: CheckParts,
  account: Account,
  redis: Redis,
): Promise<Finding[]> {
  const place = { channel: account.channel, account: account.name };
  const accounts = createAccounts({ redis, clock, log, isAuto: () => false });
  await accounts.refresh();
  const { offUntil: until, offCode: code, remedy } = accounts.of(place);
  return examineSights({
    ...place,
    sights: sightsOf(await redis.hgetall(keys.seen), place),
    hasPrevious: hasPrevious(account),
    hasBot: account.botUrl !== null,
    off: { until, code, remedy },
    now: clock.now(),
  });
}

function hasPrevious(account: Account): boolean {
  return account.channel === 'wechat'
    ? account.tokens.length > 1 || account.encodingAesKeys.length > 1
    : account.accessSecrets.length > 1;
}

function named(name: string, findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => ({ ...finding, subject: `${name} ${finding.subject}` }));
}
