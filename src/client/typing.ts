import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createConversations, createReport, guard, queue, send } from './client.ts';
import { createConnection } from './connection.ts';
import { hold } from './during.ts';
import {
  type Conversation,
  type Message,
  type Order,
  type OrderName,
  pathOf,
  pauseOf,
  type PauseOptions,
  refuseOthers,
  resumeOf,
  startOf,
  stopOf,
  type TypingError,
} from './orders.ts';

export interface TypingOptions {
  /** Address of keeptyping, such as `http://127.0.0.1:3000`; a path in front of the control API may follow. */
  url: string;
  /** keeptyping's `CONTROL_TOKEN`. Without one it answers callers on its own machine only, and none in production. */
  token?: string | undefined;
  /**
   * How long one call may take, in ms; at most 60000.
   * @default 1000
   */
  timeoutMs?: number | undefined;
  /** Hears of every order that failed. What it throws is dropped. @default nobody hears of it */
  onError?: ((error: TypingError) => void) | undefined;
}

/**
 * Tells keeptyping when answers begin and end. No method throws, and none but `close` has anything to wait for: what
 * fails goes to `onError`, and the bot goes on.
 */
export interface Typing {
  /**
   * Shows typing while `answer` runs, and returns or throws what `answer` does, when it does. Several at once for the
   * same user end only their own turn; several for the same message end it together, with the last.
   */
  during<T>(message: Message, answer: () => T | PromiseLike<T>): Promise<T>;
  /** Starts typing, until a `stop` or until keeptyping itself sees that the answer is out. */
  start(message: Message): void;
  /** The answer is out, or none will come: ends the turn of that message; without `messageId`, all turns of the user. */
  stop(message: Message): void;
  /** A human answers: no typing until `resume`, or for that many seconds. */
  pause(conversation: Conversation, options?: PauseOptions): void;
  resume(conversation: Conversation): void;
  /**
   * For the bot's shutdown, after its last answer: ends what `during` still shows, lets the waiting orders go out, and
   * closes the connections. Takes 5 s at most. Orders given later fail.
   */
  close(): Promise<void>;
}

/** `close` waits so long for orders that are under way (ms). */
const closeLimit = 5_000;

/**
 * A client of one keeptyping. One is enough for a bot: it keeps its connections open.
 *
 * @throws {TypeError} at once, for options that no call could be made with
 */
export function createTyping(options: TypingOptions): Typing {
  const { url, token, timeoutMs = 1_000, onError, ...others } = options;
  refuseOthers(others, 'createTyping knows url, token, timeoutMs and onError');
  const client: Client = {
    connection: createConnection({ url, token, timeoutMs }),
    conversations: createConversations(),
    report: createReport(onError),
    running: new Set(),
    closed: false,
  };
  let closing: Promise<void> | null = null;
  return {
    during: (message, answer) => during(client, message, answer),
    start: (message) => give(client, { name: 'start', to: message, make: startOf }),
    stop: (message) => give(client, { name: 'stop', to: message, make: stopOf }),
    pause: (conversation, options) =>
      give(client, { name: 'pause', to: conversation, make: (to) => pauseOf(to, { ...options }) }),
    resume: (conversation) => give(client, { name: 'resume', to: conversation, make: resumeOf }),
    close: () => (closing ??= close(client)),
  };
}

async function during<T>(client: Client, message: Message, answer: () => T | PromiseLike<T>): Promise<T> {
  const end = hold(client, message);
  try {
    return await answer();
  } finally {
    end();
  }
}

interface Wish<To extends Conversation> {
  name: OrderName;
  to: To;
  make: (to: To) => Order;
}

function give<To extends Conversation>(client: Client, { name, to, make }: Wish<To>): void {
  guard(client, name, () => {
    const order = make(to);
    queue(client, pathOf(to), async () => void (await send(client, order)));
  });
}

async function close(client: Client): Promise<void> {
  client.running.forEach((end) => end());
  client.closed = true;
  const waited = new AbortController();
  const limit = sleep(closeLimit, undefined, { signal: waited.signal }).catch(() => {});
  await Promise.race([client.conversations.idle(), limit]);
  waited.abort();
  client.connection.cut();
}
