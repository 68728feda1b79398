/** The open conversations as the page shows them, and what has changed since the last look. */
import { conversationId, type Conversation } from '../core/platform.ts';
import type { View } from '../core/view.ts';
import type { Look, Source } from './ports.ts';
import type { ConversationRow, ConversationsChange } from './wire.ts';

export interface Rows {
  open: number;
  /** By id: the row, and its JSON, by which a change is seen. */
  byId: ReadonlyMap<string, Shown>;
}

export interface Shown {
  row: ConversationRow;
  json: string;
}

export const noRows: Rows = { open: 0, byId: new Map() };

export function rowsOf(source: Source, { open }: Look): Rows {
  const byId = new Map<string, Shown>();
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
