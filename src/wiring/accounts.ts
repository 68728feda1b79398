/** The accounts that this process serves: those of its configuration, and those that are set while it runs. */
import { randomBytes, randomUUID } from 'node:crypto';
import { type All, createSeal, type KeySeal, type Understanding } from '../accounts/record.ts';
import {
  createRecords,
  createRecordStore,
  type RecordCommands,
  type Records,
  type RecordStore,
} from '../accounts/records.ts';
import { literalFaults } from '../accounts/urls.ts';
import { readRuntimeAccount, sealedFields, urlFields } from '../config/accounts.ts';
import { type Account, type Config, tokenWarning } from '../config/index.ts';
import { isChannel } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { createRoster, idOf, type Place, type Roster, type Served } from '../core/roster.ts';
import type { Components } from './components.ts';
import type { Serving } from './platforms.ts';

export interface ServedAccounts {
  /** Those that take pushes. */
  roster: Roster;
  /** Removed ones too, while what they have taken is under way. */
  lasting: Roster;
  records: Records<Account>;
  store: RecordStore;
  /** How records are read, and written. */
  understanding: Understanding<Account>;
  isConfigured: (place: Place) => boolean;
}

interface ServedAccountsOptions {
  config: Config;
  redis: RecordCommands;
  serving: Serving;
  /** Makes the accounts that are served on demand. */
  components: Pick<Components, 'more' | 'named'>;
  clock: Clock;
  log: Log;
}

export function openAccounts(options: ServedAccountsOptions): ServedAccounts {
  const { config, redis, serving, components, clock, log } = options;
  const configured = new Set(config.accounts.map(({ channel, name }) => `${channel}/${name}`));
  const isConfigured = (place: Place): boolean => configured.has(idOf(place));
  const fixed = config.accounts.map((account) => serving.configured(account));
  const roster = createRoster(fixed, { more: (place) => components.named(place) });
  const lasting = createRoster(fixed, components);
  const serveAll = createServeAll(serving, log);
  const understanding = createUnderstanding(config, isConfigured);
  const store = createRecordStore(redis, randomUUID);
  const records = createRecords({
    ...understanding,
    store,
    clock,
    log,
    keepRemovedMs: config.replyDeadlineMs,
    changed: (known) => {
      const served = serveAll(known);
      lasting.replace([...fixed, ...served.map(([, each]) => each)]);
      const inUse = served.filter(([id]) => known.get(id)?.removedAt === null);
      roster.replace([...fixed, ...inUse.map(([, each]) => each)]);
    },
  });
  return { roster, lasting, records, store, understanding, isConfigured };
}

/** Closes secrets in Redis; null without a key. */
export function openSeal({ accountsKeys }: Pick<Config, 'accountsKeys'>): KeySeal | null {
  const [present, ...before] = accountsKeys.map((key) => Buffer.from(key, 'hex'));
  return present ? createSeal({ keys: [present, ...before], random: randomBytes }) : null;
}

/** An account that stays as it is keeps its platform: tokens in memory, connections, what is under way. */
function createServeAll(serving: Serving, log: Log): (known: All<Account>) => [id: string, served: Served][] {
  let made = new Map<string, { text: string; served: Served }>();
  return (known) => {
    const next = new Map<string, { text: string; served: Served }>();
    for (const [id, { account, removedAt }] of known) {
      if (account === null) continue;
      const text = JSON.stringify(account);
      const before = made.get(id);
      const warning = before?.text === text || removedAt !== null ? null : tokenWarning(account);
      if (warning !== null) log.warn({ account: id }, warning);
      next.set(id, before?.text === text ? before : { text, served: serving.confined(account) });
    }
    made = next;
    return [...made].map(([id, { served }]) => [id, served]);
  };
}

/** How records are read, and written. */
export function createUnderstanding(
  config: Config,
  isConfigured: ServedAccounts['isConfigured'],
): Understanding<Account> {
  const rules = { allowPrivate: config.allowPrivateUrls };
  return {
    seal: openSeal(config),
    secretsOf: ({ channel }) => (isChannel(channel) ? sealedFields[channel] : []),
    read: (place, fields) => {
      const { channel, account: name } = place;
      if (isConfigured(place))
        return { faults: ['the environment or a file defines an account of that name'] };
      if (!isChannel(channel)) return { faults: ['there is no such channel'] };
      const read = readRuntimeAccount({ channel, name, fields }, config);
      const found = literalFaults(fields, { ...rules, urls: urlFields[channel] });
      return found.length === 0 ? read : { faults: [...('faults' in read ? read.faults : []), ...found] };
    },
  };
}
