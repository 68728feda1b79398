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
  Object.assign(model, { cutSince: null, fresh: true });
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
