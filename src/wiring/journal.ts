import { randomUUID } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { createJournal, type Journal, type JournalOptions } from '../journal/journal.ts';
import { createJournalReader, type JournalReader } from '../journal/reader.ts';
import type { Connections } from '../redis/connect.ts';
import type { Store } from '../typing/store.ts';
import type { Releases } from './releases.ts';

/** Records what happens; reads what has. */
export interface OpenJournal extends Journal {
  reader: JournalReader;
}

export interface JournalParts extends Pick<JournalOptions, 'clock' | 'log'> {
  config: Pick<Config, 'journalLength'>;
  connections: Pick<Connections, 'fast'>;
  redis: { eventsMaxLen: number };
  releases: Releases;
}

/** The embedded Redis copies a stream at each write: there it must be short. */
const embeddedLength = 500;

export function openJournal(options: JournalParts): OpenJournal {
  const { config, connections, redis, clock, log, releases } = options;
  const isEmbedded = redis.eventsMaxLen < 100;
  const length = isEmbedded ? Math.min(config.journalLength, embeddedLength) : config.journalLength;
  const by = randomUUID().slice(0, 8);
  const journal = createJournal({ redis: connections.fast, clock, log, length, by });
  releases.add('journal', () => journal.close());
  return { ...journal, reader: createJournalReader(connections.fast) };
}

/** Who is forgotten is nowhere in the journal, either. */
export function withJournal(store: Store, journal: Pick<OpenJournal, 'flush' | 'reader'>): Store {
  return {
    ...store,
    forget: async (conversation) => {
      await store.forget(conversation);
      await journal.flush();
      await journal.reader.forget(conversation);
    },
  };
}
