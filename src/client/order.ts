import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';
import { TypingError, type OrderName } from './error.ts';
import { NoReply, type Call, type Reply } from './exchange.ts';

/** What one method of the client asks keeptyping to do. */
export interface Order extends Call {
  name: OrderName;
}

export type Outcome =
  | { is: 'done'; body: unknown }
  /** keeptyping said no: nothing has changed. */
  | { is: 'refused'; error: TypingError }
  /** No usable answer. With `begun` it may have been carried out all the same. */
  | { is: 'lost'; error: TypingError; begun: boolean };

/** A lost stop leaves a ghost on the phone, so all but a start are tried again after these (ms). */
const pauses = [200, 1_000];

/** Never throws. */
export async function carryOut(connection: Connection, order: Order): Promise<Outcome> {
  for (const pause of order.name === 'start' ? [] : pauses) {
    const outcome = await tryOnce(connection, order);
    if (outcome.is !== 'lost') return outcome;
    // A script that has nothing else to do ends here, instead of waiting for a keeptyping that is away.
    await sleep(pause, undefined, { ref: false });
  }
  return tryOnce(connection, order);
}

async function tryOnce(connection: Connection, order: Order): Promise<Outcome> {
  try {
    return judge(order, await connection.call(order));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'no answer';
    const error = new TypingError(order.name, reason, { cause });
    return { is: 'lost', error, begun: cause instanceof NoReply && cause.begun };
  }
}

function judge({ name }: Order, { status, body }: Reply): Outcome {
  if (status >= 200 && status < 300) return { is: 'done', body };
  const said = textOf(body, 'error')?.slice(0, 300);
  const reason = `keeptyping answered ${status}${said === undefined ? '' : `: ${said}`}`;
  const error = new TypingError(name, reason, { status });
  return status >= 500 ? { is: 'lost', error, begun: true } : { is: 'refused', error };
}

/** A text in an answer's JSON. */
export function textOf(body: unknown, key: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Object.entries(body).find(([name]) => name === key)?.[1];
  return typeof value === 'string' ? value : undefined;
}
