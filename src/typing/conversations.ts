import { type Conversation, conversationOf, type Platform } from '../core/platform.ts';
import { type Clock, type Standing, standsWell } from '../core/ports.ts';
import type { Event, State } from '../core/state.ts';
import { elapse } from '../core/step.ts';
import { endOf } from '../core/turns.ts';
import { type View, viewOf } from '../core/view.ts';
import type { EventQueue } from './events.ts';
import { type LearnedAccounts, switchedOffNow } from './learned.ts';
import type { Store } from './store.ts';

/**
 * What may be asked of one conversation, and told to it, from outside. Saying it twice changes nothing more. Every
 * member rejects when Redis is out of reach; what was told then may be carried out all the same.
 */
export interface Conversations {
  read(platform: Platform, user: string): Promise<View>;
  /** What the platform calls the user of that name, as far as is known: that name among them. */
  names(platform: Platform, user: string): Promise<string[]>;
  /** Typing goes on until it is told to stop. Without a message id: for the newest message that waits. */
  start(platform: Platform, user: string, messageId: string | null): Promise<StartResult>;
  /** The answer is out, or none will come; `all`: to everything that the user waits for. */
  stop(platform: Platform, user: string, which: Which): Promise<void>;
  /** Nothing is known of the user any more, as soon as nothing shows. */
  forget(platform: Platform, user: string): Promise<void>;
  /** No typing for so long; null: until it is resumed. Resolves with the time of its end (ms). */
  pause(platform: Platform, user: string, seconds: number | null): Promise<{ until: number | null }>;
  resume(platform: Platform, user: string): Promise<void>;
}

type StartResult = { is: 'started'; turn: string } | { is: 'refused'; error: string };

export type Which = { is: 'all' } | { is: 'turn'; turn: string } | { is: 'message'; messageId: string };

interface ConversationsOptions {
  store: Pick<Store, 'load' | 'forget' | 'names'>;
  events: Pick<EventQueue, 'tell'>;
  learned: Pick<LearnedAccounts, 'refresh' | 'rules' | 'of'>;
  clock: Pick<Clock, 'now'>;
  /** How Redis stands. @default well */
  standing?: () => Standing;
}

/** Redis keeps a pause; nobody hands a conversation over for longer (ms). */
const longestPause = 366 * 24 * 60 * 60_000;

export function createConversations(options: ConversationsOptions): Conversations {
  const { events, clock } = options;
  const tell = async (platform: Platform, user: string, event: Event): Promise<void> => {
    await events.tell(conversationWith(platform, user), event);
  };
  return {
    read: (platform, user) => read(options, platform, user),
    names: async (platform, user) => {
      if (!platform.spell) return [user];
      const { conversation } = await options.store.load(conversationWith(platform, user));
      return [...new Set([user, conversation.user, ...(await options.store.names(conversation))])];
    },
    start: (platform, user, messageId) => start(options, platform, { user, messageId }),
    stop: (platform, user, which) => tell(platform, user, stopOf(platform, user, { which, at: clock.now() })),
    forget: (platform, user) => forget(options, platform, user),
    pause: async (platform, user, seconds) => {
      const at = clock.now();
      const until = Math.ceil(at + (seconds === null ? longestPause : seconds * 1000));
      await tell(platform, user, { is: 'paused', by: 'control', until, at });
      return { until: seconds === null ? null : until };
    },
    resume: (platform, user) => tell(platform, user, { is: 'resumed', by: 'control', at: clock.now() }),
  };
}

async function read(options: ConversationsOptions, platform: Platform, user: string): Promise<View> {
  const { store, learned, standing = () => standsWell } = options;
  const [{ state, blockedUntil }] = await Promise.all([
    store.load(conversationWith(platform, user)),
    learned.refresh(),
  ]);
  const view = viewNow(options, platform, { state, blockedUntil });
  // As the platform calls it: here it may carry more than the id.
  const lastMessageId = view.lastMessageId && platform.refer(user, view.lastMessageId, null).messageId;
  const { is, says: remedy } = standing();
  // Who waits may not even be written down.
  const isDown = is !== 'ok' && view.dark !== null;
  const dark = isDown ? { reason: 'redis_down' as const, until: null, code: null, remedy } : view.dark;
  return { ...view, lastMessageId, dark };
}

/** A state as it is to be understood now, by what was last learned of the account. */
export function viewNow(
  options: Pick<ConversationsOptions, 'learned' | 'clock'>,
  platform: Platform,
  { state, blockedUntil }: { state: State; blockedUntil: number },
): View {
  const { learned, clock } = options;
  const at = clock.now();
  const off = switchedOffNow(platform, learned.of(platform), at);
  return viewOf(learned.rules(platform), state, { at, blockedUntil, off });
}

async function start(
  { store, events, learned, clock }: ConversationsOptions,
  platform: Platform,
  { user, messageId }: { user: string; messageId: string | null },
): Promise<StartResult> {
  const conversation = conversationWith(platform, user);
  // Before anything is waited for: a stop that comes meanwhile is later.
  const at = clock.now();
  const { state } = await store.load(conversation);
  if (messageId === null && platform.needsMessageId && state.messageId === null)
    return { is: 'refused', error: namelessError(platform) };
  const open = (): State => elapse(learned.rules(platform), state, at);
  const meant =
    messageId === null
      ? { turn: newestOf(open(), platform, user), messageId: null }
      : platform.refer(user, messageId, state.messageId);
  await events.tell(conversation, { is: 'started', ...meant, at });
  return { is: 'started', turn: meant.turn };
}

function namelessError({ channel }: Platform): string {
  return `A typing call of ${channel} names a message of the user, and none is known here: pass its id as messageId.`;
}

/**
 * The newest open turn; else that of the newest message, which may not have been judged yet; else one of its own. Named
 * by what is known, so that two who start at once start the same.
 */
function newestOf(state: State, platform: Platform, user: string): string {
  const open = state.turns.at(-1);
  if (open) return open.id;
  const message = state.messageId === null ? null : platform.refer(user, state.messageId, null).turn;
  return message === null || endOf(state, message) ? `control-${state.n}` : message;
}

function stopOf(platform: Platform, user: string, { which, at }: { which: Which; at: number }): Event {
  if (which.is === 'all') return { is: 'over', by: 'control', turns: 'all', at };
  const turn = which.is === 'turn' ? which.turn : platform.refer(user, which.messageId, null).turn;
  return { is: 'ended', turn, by: 'control', message: 'out', at };
}

async function forget(options: ConversationsOptions, platform: Platform, user: string): Promise<void> {
  const { store, events, learned, clock } = options;
  const { conversation, state } = await store.load(conversationWith(platform, user));
  const { call, indicator } = elapse(learned.rules(platform), state, clock.now());
  // What shows is still to be taken back, for which the state is needed.
  if (call === null && indicator.is === 'dark') await store.forget(conversation);
  await events.tell(conversation, { is: 'forgotten', at: clock.now() });
}

/** Whoever names a user from outside may spell the name in another way. */
export function conversationWith(platform: Platform, user: string): Conversation {
  return conversationOf(platform, platform.spell?.(user) ?? user);
}
