/** What the doctor knows of the accounts that were set at run time. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { understandAll } from '../accounts/record.ts';
import { createRecordStore } from '../accounts/records.ts';
import type { Account, Config } from '../config/index.ts';
import { fail, type Finding, ok } from '../core/platform.ts';
import { idOf } from '../core/roster.ts';
import { runChecks } from '../doctor/check.ts';
import { closeConnection } from '../redis/connect.ts';
import { createUnderstanding } from './accounts.ts';
import { type CheckParts, recordChecks } from './doctor-checks.ts';
import { type Opening, openRedis } from './doctor-opening.ts';

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
      ...(served.length === 0 ? [] : [ok('records', `set at run time: ${served.join(', ')}`)]),
      ...inUse.flatMap(([id, { fault }]) =>
        fault === null
          ? []
          : [fail(`${id} record`, { says: `this account is skipped: ${fault}`, remedy: '' })],
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
export async function mayHoldRecords(opening: Opening): Promise<'some' | 'none' | 'unknown'> {
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
