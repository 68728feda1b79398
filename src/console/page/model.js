/** What the page knows: all of it from the server, and how long ago. */
import { ask } from './server.js';

const keptEvents = 50;

export const model = {
  /** Server's time less this browser's (ms). */
  offset: 0,
  overview: null,
  conversations: new Map(),
  open: 0,
  shown: 0,
  /** By id: what this page has paused. Nobody waits in them any more, so that nobody tells of them. */
  paused: new Map(),
  /** Newest first. */
  events: [],
  failed: [],
  /** null: connected. In this browser's time. */
  cutSince: null,
  /** Nothing has been told yet. */
  fresh: true,
};

/** The server's time. */
export function now() {
  return Date.now() + model.offset;
}

export function forget() {
  Object.assign(model, {
    overview: null,
    conversations: new Map(),
    open: 0,
    shown: 0,
    events: [],
    failed: [],
  });
  Object.assign(model, { cutSince: null, fresh: true, paused: new Map() });
}

export function takeOverview(overview) {
  model.offset = overview.at - Date.now();
  model.overview = overview;
}

/** The first of a connection holds all that are shown. */
export function takeConversations({ changed, gone, open, shown }) {
  if (model.fresh) model.conversations = new Map();
  model.fresh = false;
  for (const row of changed) model.conversations.set(row.id, row);
  for (const id of gone) model.conversations.delete(id);
  Object.assign(model, { open, shown });
}

/** Those that wait, the longest first, then what this page has paused. */
export function conversationRows() {
  const waiting = [...model.conversations.values()].sort((a, b) => sinceOf(a) - sinceOf(b));
  const paused = [...model.paused.values()].filter(
    ({ id, pausedUntil }) => !model.conversations.has(id) && pausedUntil > now(),
  );
  return { waiting, paused };
}

function sinceOf({ turns }) {
  return turns[0]?.openedAt ?? Infinity;
}

export function notePause({ channel, account, user }, pausedUntil) {
  const id = `${channel}/${account}/${user}`;
  const dark = { reason: 'paused', until: pausedUntil, code: null, remedy: null };
  const row = { id, channel, account, user, turns: [], indicator: { is: 'dark' }, dark, pausedUntil };
  model.paused.set(id, row);
}

export function noteResume({ channel, account, user }) {
  model.paused.delete(`${channel}/${account}/${user}`);
}

export function takeEvents(entries) {
  const known = new Set(model.events.map(({ id }) => id));
  const fresh = entries.filter(({ id }) => !known.has(id));
  model.events = [...fresh.toReversed(), ...model.events].slice(0, keptEvents);
}

/** Resolves with the status. */
export async function readFailed() {
  const { status, ok, body } = await ask('GET', 'failed');
  if (ok && Array.isArray(body)) model.failed = body;
  return status;
}

/** How many failed replies there are, as the queue tells: it is told live. */
export function failedCount() {
  return model.overview?.queues.find(({ name }) => name === 'replies')?.failed ?? model.failed.length;
}

export function accountName({ channel, account }) {
  return `${channel}/${account}`;
}
