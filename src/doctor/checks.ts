/** What the doctor looks at, of this configuration. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { understandAll } from '../accounts/record.ts';
import { createRecordStore } from '../accounts/records.ts';
import type { Account, Config } from '../config/index.ts';
import { type Examiner, fail, type Finding, ok } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { readRedisUrl } from '../core/redis-url.ts';
import { idOf } from '../core/roster.ts';
import { said } from '../core/said.ts';
import { controlToken } from '../http/guard.ts';
import { createNxcloudExaminer } from '../nxcloud/check.ts';
import { closeConnection, visitAgain } from '../redis/connect.ts';
import { type Keys, keys, keysOf } from '../redis/keys.ts';
import { createKeptSecrets, createSharedCache } from '../redis/shared.ts';
import { createLearned, sightsOf } from '../typing/learned.ts';
import { createWechatExaminer } from '../wechat/check.ts';
import { askByItself, askService } from '../wechat/component/check.ts';
import { isByItself, type WechatComponent } from '../wechat/component/component.ts';
import { createComponentSecrets } from '../wechat/component/secrets.ts';
import { createComponentTokens } from '../wechat/component/tokens.ts';
import { createUnderstanding, openSeal } from '../wiring/accounts.ts';
import type { Clients } from '../wiring/platforms.ts';
import { examineBot, examineWebhook } from './bot.ts';
import { type Check, runChecks, type Wanted } from './check.ts';
import { type DoctorOpening, type FurtherRedis, nameOf, openRedis } from './opening.ts';
import { examineClock, examineCommands, examineInfo, examineShards, examineWorker } from './redis.ts';
import { examineSights, previousFinding } from './sights.ts';

interface CheckParts {
  config: Config;
  wanted: Wanted;
  clients: Clients;
  /** Those of accounts that were set at run time: they reach only what such accounts may. */
  confined: Clients;
  /** Redis's time where there is one. */
  clock: Clock;
  log: Log;
  /** The first, which has all that is not spread. null: out of reach, or none. */
  redis: Redis | null;
  /** Those beside it that are reached. */
  further: readonly FurtherRedis[];
  /** Where pushes arrive; null: nothing is known to listen. */
  webhookBase: string | null;
}

function elapsed(): number {
  return performance.now();
}

/** ms. A platform's call has 3 s of its own, twice. */
const limits = { redis: 5_000, platform: 15_000, knock: 10_000, webhook: 10_000 } as const;

export function createChecks(parts: CheckParts): Check[] {
  const { redis, further } = parts;
  return [
    ...(redis ? redisChecks(parts, redis) : []),
    ...further.toSorted((a, b) => a.n - b.n).flatMap((each) => furtherChecks(each)),
    ...parts.config.accounts.flatMap((account) => accountChecks(parts, account)),
  ];
}

/** Of an account that was set at run time. */
function recordChecks(parts: CheckParts, account: Account): Check[] {
  return accountChecks(parts, account, parts.confined);
}

function redisChecks({ config, clock }: CheckParts, redis: Redis): Check[] {
  const limitMs = limits.redis;
  const name = nameOf(config, 0);
  const control = async (): Promise<Finding[]> => {
    const sights = sightsOf(await redis.hgetall(keys.seen), controlToken);
    return named('control token', [previousFinding(sights, Date.now())]);
  };
  return [
    ...furtherChecks({ n: 0, name, redis, keys }, othersOf(config)),
    { subject: 'shards', limitMs, run: () => examineShards(redis, config, clock.now()) },
    { subject: 'Redis clock', limitMs, run: () => examineClock(redis, Date.now) },
    { subject: 'worker', limitMs, run: () => examineWorker(redis, keys.heartbeat) },
    ...(config.controlTokens.length > 1 ? [{ subject: 'control token', limitMs, run: control }] : []),
  ];
}

/** The further shards on the first Redis; on a Cluster each is on a node of its own. */
function othersOf({ redisUrl, redisUrls, shards }: Config): Keys[] {
  const isAlone = redisUrls.length === 0 && readRedisUrl(redisUrl ?? '')?.kind !== 'cluster';
  return isAlone ? Array.from({ length: shards - 1 }, (_, n) => keysOf(n + 1)) : [];
}

/** Of each Redis. */
function furtherChecks({ name, redis, keys: own }: FurtherRedis, others: readonly Keys[] = []): Check[] {
  const limitMs = limits.redis;
  const check = (what: string, run: () => Promise<Finding[]>): Check => ({
    subject: `${name} ${what}`,
    limitMs,
    run: async () =>
      (await run()).map((finding) => ({ ...finding, subject: finding.subject.replace(/^Redis/, name) })),
  });
  return [
    check('settings', () => examineInfo(redis)),
    check('commands', () => examineCommands(() => visitAgain(redis), own, others)),
  ];
}

function accountChecks(parts: CheckParts, account: Account, clients = parts.clients): Check[] {
  const { clock, log, redis, config, wanted, webhookBase } = parts;
  const name = `${account.channel}/${account.name}`;
  const platform = { send: clients.api.send, clock, log };
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
  if (redis)
    checks.push(check('history', limits.redis, () => examineHistory(parts, account, { redis, examiner })));
  if (account.botUrl !== null) {
    const bot = {
      url: account.botUrl,
      mode: account.botMode,
      knockMs: limits.knock,
      messageMs: config.botTimeoutMs,
      push,
    };
    const limitMs = limits.knock + (push ? config.botTimeoutMs : 0) + 1_000;
    checks.push(
      check('bot', limitMs, () => examineBot({ send: clients.bot.send, now: elapsed }, examiner, bot)),
    );
  }
  if (webhookBase !== null) {
    const webhook = { base: webhookBase, timeoutMs: limits.webhook, push };
    const send = parts.clients.api.send;
    const limitMs = limits.webhook * (push ? 4 : 3) + 1_000;
    checks.push(check('webhook', limitMs, () => examineWebhook({ send, now: elapsed }, examiner, webhook)));
  }
  return checks;
}

async function examineHistory(
  { clock, log }: CheckParts,
  account: Account,
  { redis, examiner }: { redis: Redis; examiner: Examiner },
): Promise<Finding[]> {
  const place = { channel: account.channel, account: account.name };
  const learned = createLearned({ redis, clock, log, isAuto: () => false });
  await learned.refresh();
  const { offUntil: until, offCode: code, remedy } = learned.of(place);
  return examineSights({
    ...place,
    evidence: examiner.evidence,
    sights: sightsOf(await redis.hgetall(keys.seen), place),
    hasPrevious: hasPrevious(account),
    hasBot: account.botUrl !== null,
    off: { until, code, remedy },
    assuredSince: Number((await redis.hget(keys.assured, idOf(place))) ?? 0),
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

/** What the doctor looks at, of third-party platforms. */

/** Its call has 3 s of its own; before it another process may be waited for (ms). */
const limitMs = 10_000;

export function componentChecks(parts: CheckParts): Check[] {
  return parts.config.components.map((component) => {
    const name = `component/${component.name}`;
    const run = async (): Promise<Finding[]> => {
      const found = await examineComponent(parts, component);
      return found.map((finding) => ({ ...finding, subject: `${name} ${finding.subject}` }));
    };
    return { subject: `${name} token`, limitMs, run };
  });
}

async function examineComponent(parts: CheckParts, component: WechatComponent): Promise<Finding[]> {
  const { config, clients, clock, log, redis } = parts;
  const deps = { send: clients.api.send, clock, log };
  if (!isByItself(component)) return askService(component, deps);
  const seal = openSeal(config);
  if (!seal) return [fail('configuration', { says: said('this component is skipped'), remedy: withoutKey })];
  if (!redis)
    return [
      fail('token', {
        says: said('its ticket is in Redis, which is not reached'),
        remedy: said('Mend Redis.'),
      }),
    ];
  const secrets = createComponentSecrets(component.appId, {
    kept: createKeptSecrets(redis),
    seal,
    now: clock.now,
  });
  const cache = createSharedCache(redis, randomUUID);
  return askByItself(createComponentTokens(component, { ...deps, cache, seal, secrets }).own);
}

const withoutKey = said(
  'It refreshes tokens by itself: set ACCOUNTS_KEY, with which its secrets are closed in Redis.',
);

/** What the doctor knows of the accounts that were set at run time. */

interface FoundRecords {
  accounts: Account[];
  findings: Finding[];
}

/** Those that are in use. Rejects when Redis is out of reach. */
async function findRecords(config: Config, redis: Redis): Promise<FoundRecords> {
  const configured = new Set(config.accounts.map(({ channel, name }) => `${channel}/${name}`));
  const understanding = createUnderstanding(config, (place) => configured.has(idOf(place)));
  const all = understandAll(understanding, await createRecordStore(redis, randomUUID).all(), new Map());
  const inUse = [...all].filter(([, { removedAt }]) => removedAt === null);
  const accounts = inUse.flatMap(([, { account }]) => account ?? []);
  const served = accounts.map(({ channel, name }) => `${channel}/${name}`);
  return {
    accounts,
    findings: [
      ...(served.length === 0
        ? []
        : [ok('records', said('set at run time: {accounts}', { accounts: served.join(', ') }))]),
      ...inUse.flatMap(([id, { fault }]) =>
        fault === null
          ? []
          : [
              fail(`${id} record`, {
                says: said('this account is skipped: {reason}', { reason: fault }),
                remedy: '',
              }),
            ],
      ),
    ],
  };
}

/** Reading all of them (ms). */
const readMs = 5_000;
/** There may be thousands (accounts at once). */
const recordsAtOnce = 20;

/** All that is to be said of them. Never rejects. */
export async function examineRecords(
  parts: CheckParts,
  how: Parameters<typeof runChecks>[1],
): Promise<Finding[]> {
  const { config, redis } = parts;
  if (redis === null) return [];
  let accounts: readonly Account[] = [];
  const read = async (): Promise<Finding[]> => {
    const found = await findRecords(config, redis);
    ({ accounts } = found);
    return found.findings;
  };
  const all = await runChecks([{ subject: 'records', limitMs: readMs, run: read }], how);
  for (let from = 0; from < accounts.length; from += recordsAtOnce) {
    const some = accounts.slice(from, from + recordsAtOnce);
    const checks = some.flatMap((account) => recordChecks(parts, account));
    all.push(...(await runChecks(checks, how)));
  }
  return all;
}

/** Where nothing is configured, records may still be: `unknown` where Redis is out of reach. */
export async function mayHoldRecords(opening: DoctorOpening): Promise<'some' | 'none' | 'unknown'> {
  let opened: Redis | null = null;
  const [said] = await openRedis(opening, (redis) => (opened = redis));
  const redis: Redis | null = opened;
  if (redis === null) return said?.level === 'fail' && opening.config.redisUrl !== null ? 'unknown' : 'none';
  try {
    const { accounts, findings } = await findRecords(opening.config, redis);
    return accounts.length + findings.length === 0 ? 'none' : 'some';
  } catch {
    return 'unknown';
  } finally {
    await closeConnection(redis);
  }
}
