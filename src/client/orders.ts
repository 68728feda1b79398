/** The control API's calls, one function each. They throw for a conversation or message id that cannot be. */
import { messageIdOf, pathOf, type Conversation, type Message, type PauseOptions } from './conversation.ts';
import type { Order } from './order.ts';

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

export function pauseOf(conversation: Conversation, { seconds }: PauseOptions): Order {
  const body = seconds === undefined ? {} : { seconds };
  return { name: 'pause', method: 'PUT', path: `${pathOf(conversation)}/pause`, body };
}

export function resumeOf(conversation: Conversation): Order {
  return { name: 'resume', method: 'DELETE', path: `${pathOf(conversation)}/pause` };
}
