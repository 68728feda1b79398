import { type Client, guard, queue, send, type Step } from './client.ts';
import {
  type Message,
  type Order,
  type Outcome,
  pathOf,
  startOf,
  stopOf,
  textOf,
  TypingError,
} from './orders.ts';
import { type Holder, letGo } from './turns.ts';

/** Starts typing without waiting for it, and gives back what ends it. Neither throws. */
export function hold(client: Client, message: Message): () => void {
  // A copy: the bot may change its object meanwhile.
  const kept = { ...message };
  const holder: Holder = { messageId: kept.messageId, turn: null };
  const end = (): void => {
    // Once: by its function's end or by the client's close. However many steps wait, it finds its place.
    if (client.running.delete(end)) client.conversations.queue(pathOf(kept), endStep(client, kept, holder));
  };
  guard(client, 'start', () => {
    queue(client, pathOf(kept), startStep(client, startOf(kept), holder));
    client.running.add(end);
  });
  return end;
}

function startStep(client: Client, order: Order, holder: Holder): Step {
  return async (held) => {
    const outcome = await send(client, order);
    holder.turn = turnOf(client, outcome);
    if (mayHaveTurn(outcome, holder)) held.holders.add(holder);
  };
}

function endStep(client: Client, message: Message, holder: Holder): Step {
  return async (held) => {
    const ending = letGo(held, holder);
    if (ending === 'nothing') return;
    const named = ending === 'all' ? { ...message, messageId: undefined } : message;
    await send(client, stopOf(named, ending === 'its turn' ? holder.turn : null));
  };
}

function turnOf(client: Client, outcome: Outcome): string | null {
  if (outcome.is !== 'done') return null;
  const turn = textOf(outcome.body, 'turn') ?? '';
  if (turn !== '') return turn;
  client.report(new TypingError('start', 'the answer names no turn: check the url'));
  return null;
}

/** A push can have opened the turn of a message, so its end is told even when the start never left. */
function mayHaveTurn(outcome: Outcome, { messageId }: Holder): boolean {
  return outcome.is === 'done' || (outcome.is === 'lost' && (outcome.begun || messageId !== undefined));
}
