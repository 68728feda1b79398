import { randomUUID } from 'node:crypto';
import type { Conversation } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import type { Blocks } from './blocks.ts';

/** A message waits no longer for anything of ours (ms)… */
const patience = 500;
/** …and asks so often whether the call in flight has ended. */
const look = 15;
export interface Way {
  /** From when the message counts: no show is decided after it, and whatever was is older. */
  at: number;
  waitedForShow: boolean;
  /** `unknown`: Redis did not say in time. `idle`: nobody waits, and nothing is blocked. */
  is: 'blocked' | 'idle' | 'unknown';
}

/** Blocks what could land after a message, and waits for what is in flight, for 500 ms at most. Never rejects. */
export async function makeWay(
  { blocks, clock }: { blocks: Blocks; clock: Clock },
  conversation: Conversation,
  { holder, at }: { holder: string; at: number },
): Promise<Way> {
  let way: Way = { at, waitedForShow: false, is: 'unknown' };
  const patient = { over: false };
  const wait = async (): Promise<void> => {
    const { matters, shows } = await blocks.begin(conversation, { holder, now: at });
    way = { at: clock.now(), waitedForShow: shows, is: matters ? 'blocked' : 'idle' };
    for (let inFlight = shows; inFlight && !patient.over;) {
      await clock.sleep(look);
      inFlight = (await blocks.look(conversation)).shows;
    }
  };
  // Every message of the bot passes here: an aborted sleep, which makes an error with a stack, is dear.
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, patience)));
  await Promise.race([wait(), limit]).catch(() => {});
  clearTimeout(timer);
  patient.over = true;
  return way;
}

/** The same before a message of our own; resolves with the holder of its block. */
export function createWay(parts: { blocks: Blocks; clock: Clock }) {
  return async ({ channel, account, user }: Omit<Conversation, 'user'> & { user: string | null }) => {
    if (user === null) return null;
    const holder = randomUUID();
    const { is } = await makeWay(parts, { channel, account, user }, { holder, at: parts.clock.now() });
    return is === 'blocked' ? holder : null;
  };
}
