import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { Conversation } from '../core/platform.ts';
import type { Blocks } from './blocks.ts';

/** A message waits no longer for anything of ours (ms)… */
const patience = 500;
/** …and asks so often whether the call in flight has ended. */
const look = 15;
export interface Way {
  /** From when the message counts: no show is decided after it, and whatever was is older. */
  at: number;
  waitedForShow: boolean;
  isBlocked: boolean;
}

/** Blocks what could land after a message, and waits for what is in flight, for 500 ms at most. Never rejects. */
export async function makeWay(
  { blocks, clock }: { blocks: Blocks; clock: Clock },
  conversation: Conversation,
  { holder, at }: { holder: string; at: number },
): Promise<Way> {
  let way: Way = { at, waitedForShow: false, isBlocked: false };
  const over = new AbortController();
  const wait = async (): Promise<void> => {
    let shows = await blocks.begin(conversation, { holder, now: at });
    way = { at: clock.now(), waitedForShow: shows, isBlocked: true };
    while (shows && !over.signal.aborted) {
      await clock.sleep(look);
      shows = await blocks.showInFlight(conversation);
    }
  };
  const limit = clock.sleep(patience, over.signal);
  await Promise.race([wait(), limit]).catch(() => {});
  over.abort();
  return way;
}

/** The same before a message of our own; resolves with the holder of its block. */
export function createWay(parts: { blocks: Blocks; clock: Clock }) {
  return async ({ channel, account, user }: Omit<Conversation, 'user'> & { user: string | null }) => {
    if (user === null) return null;
    const holder = randomUUID();
    const { isBlocked } = await makeWay(parts, { channel, account, user }, { holder, at: parts.clock.now() });
    return isBlocked ? holder : null;
  };
}
