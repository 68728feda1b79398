/**
 * What the console's page and its server say to each other, as JSON below `/console/api/`. Times: whole ms since 1970.
 *
 *   POST   session {token}                   204 and the cookie | 401
 *   DELETE session                           204
 *   GET    events                            server-sent events: `overview`, `conversations`, `notices`; `heartbeat` {} each 15 s
 *   GET    search?q=&from=&to=&before=       SearchAnswer; q: a user, a message's id or a turn's
 *   GET    conversations/:channel/:account/:user         View (core/view.ts)
 *   PUT    conversations/:channel/:account/:user/pause {seconds?}    { until }
 *   DELETE conversations/:channel/:account/:user/pause   204
 *   PUT    accounts/:channel/:account/typing 204: typing that was refused is tried with the next message
 *   GET    failed                            FailedJob[]
 *   POST   failed/:job/retry {unknown?}      204 | 404 | 409 { error, unknown: true }: ask, then send it again with unknown
 *
 * Whoever is not logged in gets 401 { error }; while Redis is away, 503 { error }. Everything that changes something is sent as application/json, also when
 * there is nothing to say (`{}`).
 */
import type { Notice } from '../core/notice.ts';
import type { Conversation, Platform } from '../core/platform.ts';
import type { Clock, Log, Standing } from '../core/ports.ts';
import type { Place, Roster, Served } from '../core/roster.ts';
import type { State } from '../core/state.ts';
import type { View } from '../core/view.ts';
import type { JournalReader } from '../journal/reader.ts';
import type { FailedJob } from '../replies/failed.ts';

/** `overview`, whole, each second in which it has changed. Counts and distributions: of the last hour. */
export interface Overview {
  at: number;
  redis: Standing['is'];
  /** false: what is shown of Redis is as it was when it was last read. */
  live: boolean;
  /** A worker lives; `standby`: this web runs the queues. */
  workers: 'alive' | 'standby' | 'none';
  /** At most 200 of them: those with a trouble, then those in which most waits and has waited. */
  accounts: AccountRow[];
  /** How many there are. */
  accountsInAll: number;
  /** Accounts that could not be loaded, with the reason. */
  skipped: { account: string; reason: string }[];
  queues: QueueRow[];
  /** How long answers took (s): `counts[i]` up to `bounds[i]`, the last one beyond. */
  waits: Distribution;
  /** For how much of it typing showed (0…1), of turns of 1 s and more. */
  covers: Distribution;
  /** Turns and messages without typing, by reason, most first. */
  untyped: { reason: string; count: number }[];
  /** The journal goes back to here; null: it is empty. */
  journalFrom: number | null;
}

export interface Distribution {
  bounds: number[];
  counts: number[];
}

export interface AccountRow {
  channel: string;
  account: string;
  /** Conversations in which somebody waits, of those that are shown; those of them in which typing shows. */
  open: number;
  lit: number;
  /** Shows and hides of the last full minute. */
  callsPerMinute: number;
  turns: number;
  /** Middle and 95th of 100 waits that ended with an answer (s), share of all with typing on (0…1); null: there are none. */
  waitP50: number | null;
  waitP95: number | null;
  cover: number | null;
  refusals: { code: number; outcome: string; count: number; remedy: string | null }[];
  /**
   * `off`: the platform has refused the account; tried again then. `trying`: with the next message. `mode_off`: the
   * configuration wants no typing.
   */
  typing:
    | { is: 'on' }
    | { is: 'mode_off' }
    | { is: 'off'; until: number; code: number; remedy: string }
    | { is: 'trying'; code: number; remedy: string };
  /** `open` when any worker's is. */
  breaker: 'closed' | 'open' | 'half-open';
  bot: 'job' | 'pass' | 'none';
  /** What kind of bot its answers show, where it is set for another; null: none. */
  look: string | null;
  /** Answers that came too late, of a kind that no API can send. */
  impossible: number;
  /** Messages that followed the one that had ended the wait: the bot sends several. */
  more: number;
  /** Calls of the bot that it answered, and those that failed for good, by why and where; most first. */
  botAnswered: number;
  botFailed: { why: string; count: number }[];
  /** Pushes that were not taken, by the reason, which says what mends it; most first. */
  refused: { reason: string; count: number }[];
  /** What ended turns, most first. */
  ends: { by: string; count: number }[];
}

export interface QueueRow {
  name: 'typing' | 'replies';
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
}

/** `conversations`: first all that are shown, then what changes. The longest waits are shown, at most `shown`. */
export interface ConversationsChange {
  changed: ConversationRow[];
  /** Ids. */
  gone: string[];
  /** How many there are, and how many of them the page is told of. */
  open: number;
  shown: number;
}

export interface ConversationRow {
  /** `channel/account/user`. */
  id: string;
  channel: string;
  account: string;
  user: string;
  turns: View['turns'];
  indicator: View['indicator'];
  dark: View['dark'];
  pausedUntil: number | null;
}

/**
 * `notices`: what has happened since the last of them, oldest first; first the newest fifty. Of one second the newest
 * hundred at most.
 */
export interface JournalEntry {
  /** Of the stream: sorts by time. */
  id: string;
  notice: Notice;
}

export interface SearchAnswer {
  /** Newest first. */
  entries: JournalEntry[];
  /**
   * Pass it as `before` for the next ones; null: there are none. A request reads 10,000 records at most: there may be
   * few entries, or none, and more to come.
   */
  before: string | null;
}

/** What the console needs of the rest of keeptyping. Whatever asks Redis rejects when that is out of reach. */

/** What one look at Redis brings. */
export interface Look {
  /** The longest waits; `count`: how many there are. */
  open: { count: number; longest: readonly { conversation: Conversation; state: State }[] };
  queues: QueueRow[];
  workerLives: boolean;
  /** The time of the journal's oldest record. */
  journalFrom: number | null;
}

export interface FailedJobs {
  read(): Promise<FailedJob[]>;
  runAgain(job: string, how: { evenUnknown: boolean }): Promise<'runs' | 'none' | 'unknown'>;
}

export interface ConsoleSource {
  clock: Clock;
  log: Log;
  roster: Roster;
  /** At most `most` open conversations; learns what other processes know of the accounts, too. */
  look(most: number): Promise<Look>;
  /** As it is to be understood now. */
  view(platform: Platform, state: State): View;
  /** Whose typing the platform has refused, as far as was learned at the last look. */
  account(place: Place): { offUntil: number; offCode: number; remedy: string };
  /** Typing that the platform has refused is tried again with the next message. */
  tryAgain(place: Place): Promise<void>;
  journal: Pick<JournalReader, 'since' | 'newest' | 'search'>;
  /** How Redis stands. */
  standing: () => Standing;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
  /** Those that are served, and those behind third-party platforms that have been written to. */
  accounts: () => readonly Served[];
  /** Accounts that could not be loaded. */
  skipped: () => readonly { account: string; reason: string }[];
}
