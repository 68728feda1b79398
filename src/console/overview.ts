import { type Conversation, conversationId } from '../core/platform.ts';
import { idOf, type Served } from '../core/roster.ts';
import type { View } from '../core/view.ts';
import { coverBounds, distributionOf, type Hour, quantile, under, waitBounds } from './hour.ts';
import type {
  AccountRow,
  ConversationRow,
  ConversationsChange,
  Look,
  Overview,
  ConsoleSource,
} from './wire.ts';

interface OverviewSource {
  hour: Hour;
  rows: Rows;
  /** The last one that Redis answered; null: there was none yet. */
  look: Look | null;
  /** Redis has just answered. */
  live: boolean;
}

export function overviewOf(source: ConsoleSource, seen: OverviewSource): Overview {
  const { hour, rows, look, live } = seen;
  const { is } = source.standing();
  const at = Math.round(source.clock.now());
  const byAccount = groupRows(rows);
  const all = source
    .accounts()
    .map((served) =>
      accountOf(source, hour, { served, rows: byAccount.get(idOf(served.platform)) ?? [], at }),
    );
  return {
    at,
    // What could not be read is out of reach, though nobody else has met it yet.
    redis: live || is !== 'ok' ? is : 'away',
    live,
    workers: look?.workerLives ? 'alive' : source.standby ? 'standby' : 'none',
    accounts: all.length > mostAccounts ? mostWorthSeeing(all) : all,
    accountsInAll: all.length,
    skipped: [...source.skipped()],
    queues: look?.queues ?? [],
    waits: distributionOf(waitBounds, under(hour.all.total, 'wait ')),
    covers: distributionOf(coverBounds, under(hour.all.total, 'cover ')),
    untyped: under(hour.all.total, 'untyped ').map(([reason, count]) => ({ reason, count })),
    journalFrom: look?.journalFrom ?? null,
  };
}

/** Each second all of them go to every page. */
const mostAccounts = 200;

function mostWorthSeeing(rows: readonly AccountRow[]): AccountRow[] {
  return rows
    .toSorted((a, b) => troubleOf(b) - troubleOf(a) || b.open - a.open || b.turns - a.turns)
    .slice(0, mostAccounts);
}

function troubleOf({ typing, breaker, impossible, refused, botFailed, look }: AccountRow): number {
  return Number(
    typing.is === 'off' ||
      typing.is === 'trying' ||
      breaker !== 'closed' ||
      impossible > 0 ||
      refused.length > 0 ||
      botFailed.length > 0 ||
      look !== null,
  );
}

function groupRows({ byId }: Rows): Map<string, ConversationRow[]> {
  const groups = new Map<string, ConversationRow[]>();
  for (const { row } of byId.values()) {
    const id = `${row.channel}/${row.account}`;
    const group = groups.get(id);
    if (group) group.push(row);
    else groups.set(id, [row]);
  }
  return groups;
}

function accountOf(
  source: ConsoleSource,
  hour: Hour,
  { served, rows, at }: { served: Served; rows: ConversationRow[]; at: number },
): AccountRow {
  const { platform, bot } = served;
  const id = idOf(served.platform);
  const tally = hour.of(id);
  const count = (name: string): number => tally.total.get(name) ?? 0;
  const waits = under(tally.total, 'wait ');
  return {
    channel: platform.channel,
    account: platform.account,
    open: rows.length,
    lit: rows.filter(({ indicator }) => indicator.is === 'lit').length,
    callsPerMinute: tally.lastMinute(at, 'call'),
    turns: count('ended') + rows.reduce((sum, { turns }) => sum + turns.length, 0),
    waitP50: quantile(waits, 0.5),
    waitP95: quantile(waits, 0.95),
    cover: count('waited') === 0 ? null : Math.round((count('lit') / count('waited')) * 1_000) / 1_000,
    refusals: under(tally.total, 'refused ').map(([name, times]) => refusalRow(hour, id, { name, times })),
    typing: typingOf(source, served, at),
    breaker: hour.breaker(id, at),
    look: hour.look(id),
    bot: bot?.mode ?? 'none',
    impossible: count('impossible'),
    more: count('more'),
    botAnswered: count('answered'),
    botFailed: under(tally.total, 'bot ').map(([why, times]) => ({ why, count: times })),
    refused: under(tally.total, 'not taken ').map(([reason, times]) => ({ reason, count: times })),
    ends: under(tally.total, 'end ').map(([by, times]) => ({ by, count: times })),
  };
}

function refusalRow(
  hour: Hour,
  account: string,
  { name, times }: { name: string; times: number },
): AccountRow['refusals'][number] {
  const [code, outcome = ''] = name.split(' ');
  return { code: Number(code), outcome, count: times, remedy: hour.remedy(account, Number(code)) };
}

/** Whose typing is off by the configuration has nothing to mend. */
function typingOf(source: ConsoleSource, { platform }: Served, at: number): AccountRow['typing'] {
  if (platform.rules.mode === 'off') return { is: 'mode_off' };
  const { offUntil, offCode, remedy } = source.account(platform);
  if (offUntil === 0) return { is: 'on' };
  if (at >= offUntil) return { is: 'trying', code: offCode, remedy };
  return { is: 'off', until: Math.round(offUntil), code: offCode, remedy };
}

/** The open conversations as the page shows them, and what has changed since the last look. */

export interface Rows {
  open: number;
  /** By id: the row, and its JSON, by which a change is seen. */
  byId: ReadonlyMap<string, ShownRow>;
}

interface ShownRow {
  row: ConversationRow;
  json: string;
}

export const noRows: Rows = { open: 0, byId: new Map() };

export function rowsOf(source: ConsoleSource, { open }: Look): Rows {
  const byId = new Map<string, ShownRow>();
  const at = source.clock.now();
  for (const { conversation, state } of open.longest) {
    const platform = source.roster.of(conversation)?.platform;
    if (!platform) continue;
    const row = rowOf(conversation, source.view(platform, state), at);
    // A turn that is past its deadline is over, though nobody has noted it yet.
    if (row.turns.length > 0) byId.set(row.id, { row, json: JSON.stringify(row) });
  }
  return { open: open.count - (open.longest.length - byId.size), byId };
}

function rowOf(conversation: Conversation, view: View, at: number): ConversationRow {
  const { turns, indicator, dark, pausedUntil } = view;
  const id = conversationId(conversation);
  return { id, ...conversation, turns, indicator, dark: dark && settle(dark, at), pausedUntil };
}

/** What is due at any moment would be another moment at each look. */
function settle(dark: NonNullable<View['dark']>, at: number): View['dark'] {
  return dark.until !== null && dark.until <= at ? { ...dark, until: null } : dark;
}

/** null: nothing has changed. */
export function changeOf(before: Rows, after: Rows): ConversationsChange | null {
  const changed = [...after.byId].flatMap(([id, { row, json }]) =>
    before.byId.get(id)?.json === json ? [] : [row],
  );
  const gone = [...before.byId.keys()].filter((id) => !after.byId.has(id));
  if (changed.length === 0 && gone.length === 0 && before.open === after.open) return null;
  return { changed, gone, open: after.open, shown: after.byId.size };
}

export function allOf({ open, byId }: Rows): ConversationsChange {
  return { changed: [...byId.values()].map(({ row }) => row), gone: [], open, shown: byId.size };
}
