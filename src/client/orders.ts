/** The control API's calls, one function each. They throw for a conversation or message id that cannot be. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Call, type Connection, NoReply, type Reply } from './connection.ts';

export function startOf(message: Message): Order {
  const path = `${pathOf(message)}/typing`;
  const messageId = messageIdOf(message);
  return { name: 'start', method: 'PUT', path, body: messageId === undefined ? {} : { messageId } };
}

/** `turn` names a turn that a start has answered with; else the message's turn is ended, else all of the user. */
export function stopOf(message: Message, turn: string | null = null): Order {
  const path = `${pathOf(message)}/typing`;
  const named = turn === null ? { messageId: messageIdOf(message) } : { turn };
  const query = Object.entries(named).map(([name, value]) =>
    value === undefined ? '' : `?${name}=${encodeURIComponent(value)}`,
  );
  return { name: 'stop', method: 'DELETE', path: `${path}${query.join('')}` };
}

export function pauseOf(conversation: Conversation, { seconds, ...others }: PauseOptions): Order {
  // Misspelt seconds would be a pause without an end.
  refuseOthers(others, 'a pause knows seconds');
  const body = seconds === undefined ? {} : { seconds };
  return { name: 'pause', method: 'PUT', path: `${pathOf(conversation)}/pause`, body };
}

export function resumeOf(conversation: Conversation): Order {
  return { name: 'resume', method: 'DELETE', path: `${pathOf(conversation)}/pause` };
}

/** One user of one account. */
export interface Conversation {
  channel: 'wechat' | 'nxcloud';
  /** @default 'default', the account that keeptyping's environment variables configure */
  account?: string | undefined;
  /** As the push names it. WeChat: the openid. WhatsApp: the phone number, country code first, or the BSUID. */
  user: string;
}

/** A message that waits for its answer. */
export interface Message extends Conversation {
  /**
   * The id that the push gives it (WeChat: `MsgId`; WhatsApp: `messages[].id`). Without it the user's newest open
   * message is meant. WhatsApp needs it unless the push itself went through keeptyping.
   */
  messageId?: string | undefined;
}

export interface PauseOptions {
  /** @default until `resume` */
  seconds?: number | undefined;
}

/**
 * The path of a conversation in the control API.
 *
 * @throws {Error} for a conversation that has none; its sentence says why
 */
export function pathOf({ channel, account = 'default', user }: Conversation): string {
  const names = Object.entries({ channel, account, user }).map(([name, value]) => {
    // Dots alone would climb out of the path.
    return encodeURIComponent(textOnly(name, /^\.{1,2}$/.test(value) ? '' : value));
  });
  return `/conversations/${names.join('/')}`;
}

/**
 * The message's id, if one is given.
 *
 * @throws {Error} for an id that can mean no message; "" would mean all of them
 */
function messageIdOf({ messageId }: Message): string | undefined {
  return messageId === undefined ? undefined : textOnly('messageId', messageId);
}

/** Callers in plain JavaScript pass what they like; a WeChat MsgId that was read as a number has lost digits. */
function textOnly(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new TypeError(`${name} is no usable text: pass it as the push has it.`);
}

/**
 * For callers in plain JavaScript: a misspelt option is not to pass for one that was left out.
 *
 * @throws {TypeError} that names the first option that is not known
 */
export function refuseOthers(others: object, known: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new TypeError(`${name} is no option: ${known}.`);
}

export type OrderName = 'start' | 'stop' | 'pause' | 'resume';

/** Why an order was not carried out, as far as the client knows. Handed to `onError`, never thrown. */
export class TypingError extends Error {
  override readonly name = 'TypingError';
  readonly order: OrderName;
  /** keeptyping's HTTP status; null: no answer came, or nothing was asked. */
  readonly status: number | null;

  constructor(order: OrderName, reason: string, from: { status?: number; cause?: unknown } = {}) {
    super(`${order} failed: ${reason}`, from.cause === undefined ? undefined : { cause: from.cause });
    this.order = order;
    this.status = from.status ?? null;
  }
}

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
