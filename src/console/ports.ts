/** What the console needs of the rest of keeptyping. Whatever asks Redis rejects when that is out of reach. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Notice } from '../core/notice.ts';
import type { Conversation, Platform } from '../core/platform.ts';
import type { Place } from '../core/sight.ts';
import type { Roster, Served } from '../core/served.ts';
import type { State } from '../core/state.ts';
import type { View } from '../core/view.ts';
import type { FailedJob, QueueRow } from './wire.ts';

/** The form that connect and express know: calls `next` for what is not its own. */
export type Handler = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** As much of a request as tells who asks. */
export type Caller = Pick<IncomingMessage, 'headers' | 'httpVersion' | 'socket'>;

/** `hidden`: for this caller there is nothing here. */
export type Guard = (caller: Caller) => 'admitted' | 'refused' | 'hidden';

/** What one look at Redis brings. */
export interface Look {
  /** The longest waits; `count`: how many there are. */
  open: { count: number; longest: readonly { conversation: Conversation; state: State }[] };
  queues: QueueRow[];
  workerLives: boolean;
  /** The time of the journal's oldest record. */
  journalFrom: number | null;
}

export interface JournalRecord {
  id: string;
  notice: Notice;
  /** The process it is of, where each has its own. */
  by: string | null;
}

export interface Journal {
  since(id: string): Promise<{ entries: JournalRecord[]; last: string; more: boolean }>;
  newest(count: number): Promise<JournalRecord[]>;
  search(asked: {
    q: string | null;
    from: number | null;
    to: number | null;
    before: string | null;
    limit: number;
  }): Promise<{ entries: JournalRecord[]; before: string | null }>;
}

export interface Conversations {
  read(platform: Platform, user: string): Promise<View>;
  pause(platform: Platform, user: string, seconds: number | null): Promise<{ until: number | null }>;
  resume(platform: Platform, user: string): Promise<void>;
}

export interface FailedJobs {
  read(): Promise<FailedJob[]>;
  runAgain(job: string, how: { evenUnknown: boolean }): Promise<'runs' | 'none' | 'unknown'>;
}

export interface Source {
  clock: Pick<Clock, 'now'>;
  log: Log;
  roster: Roster;
  /** At most `most` open conversations; learns what other processes know of the accounts, too. */
  look(most: number): Promise<Look>;
  /** As it is to be understood now. */
  view(platform: Platform, state: State): View;
  /** Whose typing the platform has refused, as far as was learned at the last look. */
  account(place: Place): { offUntil: number; offCode: number; remedy: string };
  journal: Journal;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
  /** Those that are served, and those behind third-party platforms that have been written to. */
  accounts: () => readonly Served[];
  /** Accounts that could not be loaded. */
  skipped: () => readonly { account: string; reason: string }[];
}
