/** What a console's server would know, made up: the page is shown it, and changes it. */
import type { AccountRow, ConversationRow, JournalEntry, Overview } from '../../src/console/wire.ts';
import type { Reason } from '../../src/core/decide.ts';
import type { Notice } from '../../src/core/notice.ts';
import { type Conversation, conversationId } from '../../src/core/platform.ts';
import type { View } from '../../src/core/view.ts';
import type { FailedJob } from '../../src/replies/failed.ts';

/** The shape of a notice as it is told, less when. */
type Told = Notice extends infer One
  ? One extends Notice
    ? Omit<One, 'at'> & { at?: number }
    : never
  : never;

export interface World {
  overview: Overview;
  rows: Map<string, ConversationRow>;
  /** By conversation, until when (ms). */
  paused: Map<string, number>;
  /** Oldest first. */
  journal: JournalEntry[];
  failed: FailedJob[];
  /** Orders of the page, in the order in which they came. */
  retried: { job: string; unknown: boolean }[];
  /** How many rows the page is told of at most. */
  shown: number;
  onChange: () => void;
}

const waitBounds = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600];
const coverBounds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

export function createWorld(): World {
  const overview: Overview = {
    at: Date.now(),
    redis: 'ok',
    live: true,
    workers: 'alive',
    accounts: [],
    queues: [
      { name: 'typing', waiting: 0, active: 1, delayed: 12, failed: 0 },
      { name: 'replies', waiting: 0, active: 3, delayed: 0, failed: 0 },
    ],
    accountsInAll: 0,
    skipped: [],
    waits: { bounds: waitBounds, counts: [...waitBounds, 0].map(() => 0) },
    covers: { bounds: coverBounds, counts: [...coverBounds, 0].map(() => 0) },
    untyped: [],
    journalFrom: null,
  };
  const empty = { rows: new Map(), paused: new Map(), journal: [], failed: [], retried: [], shown: 200 };
  return { overview, ...empty, onChange: () => {} };
}

export function accountRow(
  of: Pick<AccountRow, 'channel' | 'account'>,
  rest: Partial<AccountRow> = {},
): AccountRow {
  return {
    ...of,
    open: 0,
    lit: 0,
    callsPerMinute: 0,
    turns: 0,
    waitP50: null,
    waitP95: null,
    cover: null,
    refusals: [],
    typing: { is: 'on' },
    breaker: 'closed',
    bot: 'job',
    look: null,
    impossible: 0,
    more: 0,
    botAnswered: 0,
    botFailed: [],
    refused: [],
    ends: [],
    ...rest,
  };
}

/** It stands in the journal, and is told to whoever listens. */
export function tell(world: World, told: Told): void {
  const notice: Notice = { at: Date.now(), ...told };
  const id = `${notice.at}-${world.journal.length}`;
  world.journal.push({ id, notice });
  world.overview.journalFrom ??= notice.at;
  world.onChange();
}

/** Somebody waits; typing is on its way. */
export function wait(world: World, conversation: Conversation, since = Date.now()): string {
  const turn = `${conversation.user}-${since}`;
  const known = world.rows.get(conversationId(conversation));
  const turns = [
    ...(known?.turns ?? []),
    { id: turn, phase: 'working', openedAt: since, shown: false } as const,
  ];
  setRow(world, conversation, { turns, dark: { reason: 'calling', until: null, code: null, remedy: null } });
  tell(world, {
    is: 'inbound',
    at: since,
    turn,
    messageId: null,
    type: 'text',
    opensTurn: true,
    ...conversation,
  });
  return turn;
}

export function light(
  world: World,
  conversation: Conversation,
  { at = Date.now(), lifetime = 15_000 } = {},
): void {
  const indicator = { is: 'lit', since: at, until: at + lifetime } as const;
  setRow(world, conversation, { indicator, dark: null });
  tell(world, {
    is: 'call',
    at,
    kind: 'show',
    outcome: 'done',
    code: 0,
    remedy: null,
    ms: 84,
    ...conversation,
  });
}

export function darken(
  world: World,
  conversation: Conversation,
  reason: Reason,
  remedy: string | null = null,
): void {
  const dark = { reason, until: null, code: reason === 'window_closed' ? 45080 : null, remedy };
  setRow(world, conversation, { indicator: { is: 'dark' }, dark });
}

/** The answer is out: nobody waits any more. */
export function answer(
  world: World,
  conversation: Conversation,
  { waitMs = 6_400, litMs = 6_100 } = {},
): void {
  const row = world.rows.get(conversationId(conversation));
  const turn = row?.turns.at(-1)?.id ?? '';
  const base = { ...conversation, turn };
  tell(world, { is: 'bot', status: 200, result: 'answered', ms: waitMs - 300, overheadMs: 4, ...base });
  tell(world, { is: 'delivery', way: 'sent', code: 0, job: null, ...base });
  tell(world, { is: 'ended', by: 'passive-reply', waitMs, litMs, firstMs: 140, untyped: null, ...base });
  world.rows.delete(conversationId(conversation));
  world.onChange();
}

export function setRow(world: World, conversation: Conversation, change: Partial<ConversationRow>): void {
  const id = conversationId(conversation);
  const blank: ConversationRow = {
    id,
    ...conversation,
    turns: [],
    indicator: { is: 'dark' },
    dark: null,
    pausedUntil: null,
  };
  world.rows.set(id, { ...blank, ...world.rows.get(id), ...change });
  world.onChange();
}

export function viewIn(world: World, conversation: Conversation): View {
  const row = world.rows.get(conversationId(conversation));
  const pausedUntil = world.paused.get(conversationId(conversation)) ?? null;
  const reason = pausedUntil === null ? 'nobody_waits' : 'paused';
  const idle = { reason, until: pausedUntil, code: null, remedy: null } as const;
  return {
    turns: row?.turns ?? [],
    indicator: row?.indicator ?? { is: 'dark' },
    lastInteractionAt: null,
    lastMessageId: null,
    lastEnded: null,
    sends: { used: 1, left: conversation.channel === 'wechat' ? 4 : null },
    pausedUntil,
    pausedBy: pausedUntil === null ? null : 'control',
    dark: row ? row.dark : idle,
  };
}

/** The longest waits. */
export function shownRows(world: World): ConversationRow[] {
  return [...world.rows.values()].sort((a, b) => sinceOf(a) - sinceOf(b)).slice(0, world.shown);
}

function sinceOf({ turns }: ConversationRow): number {
  return turns[0]?.openedAt ?? Infinity;
}
