/** A console to be visited, and what happens behind it. */
import type { AccountRow, Overview } from '../../src/console/wire.ts';
import type { Reason } from '../../src/core/decide.ts';
import { type Conversation, conversationId } from '../../src/core/platform.ts';
import type { FailedJob } from '../../src/replies/failed.ts';
import { fillDay, tellLongWait, tellUntyped } from './page-day.ts';
import { setFailed, startPageServer } from './page-server.ts';
import { accountRow, answer, createWorld, darken, light, wait } from './page-world.ts';

export interface ConsoleScene {
  url: string;
  token: string;
  /** Logs in once. */
  code: string;
  /** Somebody waits since then; typing is on its way. Returns the turn. */
  wait(conversation: Conversation, since?: number): string;
  /** The platform has accepted a typing call. */
  light(conversation: Conversation): void;
  darken(conversation: Conversation, reason: Reason, remedy?: string): void;
  answer(conversation: Conversation): void;
  /** A day's events and figures. */
  fill(): void;
  /** A wait of 38 s with two accepted calls and a refused one; its turn. */
  longWait(conversation: Conversation, from: number): string;
  /** A message whose account may not type; its turn. */
  untyped(conversation: Conversation, from: number): string;
  account(of: Pick<AccountRow, 'channel' | 'account'>, row?: Partial<AccountRow>): void;
  change(overview: Partial<Overview>): void;
  fail(job: Omit<FailedJob, 'channel' | 'account' | 'turn'>): void;
  isPaused(conversation: Conversation): boolean;
  /** Failed jobs that were run again. */
  retried(): readonly { job: string; unknown: boolean }[];
  searches(): readonly URLSearchParams[];
  /** How often a page has connected. */
  connections(): number;
  /** Each page hears a heartbeat. */
  beat(): void;
  /** So many rows are told of at most. */
  showAtMost(rows: number): void;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function openConsoleScene(): Promise<ConsoleScene> {
  const world = createWorld();
  const server = await startPageServer(world);
  return {
    url: server.url,
    token: server.token,
    code: server.code,
    wait: (conversation, since) => wait(world, conversation, since),
    light: (conversation) => light(world, conversation),
    darken: (conversation, reason, remedy) => darken(world, conversation, reason, remedy),
    answer: (conversation) => answer(world, conversation),
    fill: () => fillDay(world),
    longWait: (conversation, from) => tellLongWait(world, conversation, from),
    untyped: (conversation, from) => tellUntyped(world, conversation, from),
    account: (of, row) => {
      const others = world.overview.accounts.filter((one) => one.account !== of.account);
      world.overview = { ...world.overview, accounts: [...others, accountRow(of, row)] };
      world.onChange();
    },
    change: (overview) => {
      world.overview = { ...world.overview, ...overview };
      world.onChange();
    },
    fail: (job) => {
      const turn = `${job.user ?? 'nobody'}-24101234567890123`;
      world.failed = [{ ...job, channel: 'wechat', account: 'shop', turn }, ...world.failed];
      setFailed(world);
    },
    isPaused: (conversation) => world.paused.has(conversationId(conversation)),
    retried: () => world.retried,
    searches: () => server.searches,
    connections: () => server.streams(),
    beat: () => server.beat(),
    showAtMost: (rows) => {
      world.shown = rows;
    },
    stop: () => server.stop(),
    start: () => server.start(),
  };
}
