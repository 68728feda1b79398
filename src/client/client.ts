import type { Connection } from './connection.ts';
import { carryOut, type Order, type OrderName, type Outcome, TypingError } from './orders.ts';
import type { Held } from './turns.ts';

/** What the methods of one client share. */
export interface Client {
  connection: Connection;
  conversations: Conversations;
  /** Tells the bot of a failure. Never throws. */
  report: (error: TypingError) => void;
  /** Ends each `during` that still runs. */
  running: Set<() => void>;
  closed: boolean;
}

/** So many steps of one conversation may wait: with a keeptyping that hangs, a bot's memory does not fill up. */
const waitingLimit = 32;

/** Does what a method does, so that the bot never meets its errors. */
export function guard(client: Client, name: OrderName, work: () => void): void {
  try {
    if (client.closed) throw new Error('the client is closed');
    work();
  } catch (cause) {
    client.report(new TypingError(name, cause instanceof Error ? cause.message : 'bad input', { cause }));
  }
}

/**
 * Runs a step when the earlier ones of that conversation are done.
 *
 * @throws {Error} when too many wait
 */
export function queue(client: Client, path: string, step: Step): void {
  if (client.conversations.waiting(path) >= waitingLimit) {
    throw new Error(`${waitingLimit} orders of this user wait already`);
  }
  client.conversations.queue(path, step);
}

/** Carries an order out and reports its failure. Never throws. */
export async function send(client: Client, order: Order): Promise<Outcome> {
  const outcome = await carryOut(client.connection, order);
  if (outcome.is !== 'done') client.report(outcome.error);
  return outcome;
}

/** `onError` is the bot's: whatever it does, the client goes on. */
export function createReport(onError: ((error: TypingError) => void) | undefined): Client['report'] {
  return (error) => void tell(onError, error);
}

async function tell(
  onError: ((error: TypingError) => unknown) | undefined,
  error: TypingError,
): Promise<void> {
  try {
    await onError?.(error);
  } catch {
    // There is nobody left to tell.
  }
}

/** One step at a time for each conversation, so that a stop never overtakes its start. */
interface Conversations {
  /** Runs a step after the earlier ones of that conversation. It must never throw. */
  queue(path: string, step: Step): void;
  /** How many steps of that conversation have not ended. */
  waiting(path: string): number;
  /** Resolves when no step waits any more. */
  idle(): Promise<void>;
}

export type Step = (held: Held) => Promise<void>;

interface Line extends Held {
  waiting: number;
  last: Promise<void>;
}

export function createConversations(): Conversations {
  const lines = new Map<string, Line>();
  return {
    queue: (path, step) => {
      const line = lines.get(path) ?? {
        holders: new Set(),
        unsure: false,
        waiting: 0,
        last: Promise.resolve(),
      };
      lines.set(path, line);
      line.waiting += 1;
      line.last = follow(line, step).then(() => {
        // A quiet conversation leaves nothing behind.
        if (line.waiting === 0 && line.holders.size === 0) lines.delete(path);
        return;
      });
    },
    waiting: (path) => lines.get(path)?.waiting ?? 0,
    idle: async () => {
      await Promise.all([...lines.values()].map((line) => line.last));
    },
  };
}

async function follow(line: Line, step: Step): Promise<void> {
  await line.last;
  await step(line);
  line.waiting -= 1;
}
