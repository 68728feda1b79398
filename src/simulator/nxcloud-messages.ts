/** What NXCloud remembers of messages: whose they are, which are unread, and which one lit the phone. */
import type { NxcloudRules } from './nxcloud-rules.ts';
import type { LivePhone } from './phones.ts';

interface Inbound {
  user: string;
  /** Its place among all inbound messages. */
  place: number;
  read: boolean;
  /** It has lit the phone. */
  shown: boolean;
}

export interface Messages {
  /** A user's message. Returns false when it was known already. */
  heard(user: string, id: string): boolean;
  /** A message to a user. */
  told(id: string, user: string): void;
  directionOf(id: string): 'inbound' | 'outgoing' | null;
  userOf(id: string): string | null;
  /** Whether the user wrote within the customer window. */
  open(user: string): boolean;
  /** Blue ticks for this and the user's earlier messages. */
  read(id: string, phone: LivePhone): void;
  /** One typing call for this message, by the re-arm hypothesis. */
  type(id: string, phone: LivePhone): void;
  forget(user: string): void;
}

interface State {
  rules: NxcloudRules;
  now: () => number;
  inbound: Map<string, Inbound>;
  /** The user of each. */
  outgoing: Map<string, string>;
  /** Messages heard so far. */
  heard: number;
  heardAt: Map<string, number>;
  /** The place of the message whose indicator each user saw last. */
  lastShown: Map<string, number>;
}

export function createMessages(rules: NxcloudRules, now: () => number): Messages {
  const state: State = {
    rules,
    now,
    inbound: new Map(),
    outgoing: new Map(),
    heard: 0,
    heardAt: new Map(),
    lastShown: new Map(),
  };
  return {
    heard: (user, id) => heard(state, user, id),
    told: (id, user) => void state.outgoing.set(id, user),
    directionOf: (id) => (state.inbound.has(id) ? 'inbound' : state.outgoing.has(id) ? 'outgoing' : null),
    userOf: (id) => state.inbound.get(id)?.user ?? null,
    open: (user) => now() - (state.heardAt.get(user) ?? -Infinity) < rules.customerWindow,
    read: (id, phone) => read(state, id, phone),
    type: (id, phone) => type(state, id, phone),
    forget: (user) => forget(state, user),
  };
}

function heard(state: State, user: string, id: string): boolean {
  if (state.inbound.has(id)) return false;
  state.inbound.set(id, { user, place: state.heard, read: false, shown: false });
  state.heard += 1;
  state.heardAt.set(user, state.now());
  return true;
}

function read(state: State, id: string, phone: LivePhone): void {
  const named = state.inbound.get(id);
  if (named === undefined) return;
  const unread = [...state.inbound.values()].filter(
    ({ user, place, read }) => user === named.user && place <= named.place && !read,
  );
  for (const message of unread) message.read = true;
  if (unread.length > 0) phone.mark('read', id);
}

function type(state: State, id: string, phone: LivePhone): void {
  const message = state.inbound.get(id);
  if (message === undefined) return;
  const ignored = whyIgnored(state, message, phone);
  if (ignored !== null) return phone.mark('wasted', ignored);
  message.shown = true;
  state.lastShown.set(message.user, message.place);
  phone.light(id);
}

function whyIgnored({ rules, lastShown }: State, message: Inbound, phone: LivePhone): string | null {
  if (rules.rearm === 'once-per-message' && message.shown) return 'this message has shown once';
  const newer = message.place > (lastShown.get(message.user) ?? -1);
  if (rules.rearm === 'ignored-until-expiry' && phone.lit() && !newer) return 'the indicator still runs';
  return null;
}

function forget({ inbound, outgoing, heardAt, lastShown }: State, user: string): void {
  for (const [id, message] of inbound) if (message.user === user) inbound.delete(id);
  for (const [id, to] of outgoing) if (to === user) outgoing.delete(id);
  heardAt.delete(user);
  lastShown.delete(user);
}
