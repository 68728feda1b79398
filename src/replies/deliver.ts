import { holdsMessage, type Meaning, notTaken } from '../core/bot.ts';
import type { LateSend, Platform } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import {
  deliveryId,
  outcomeUnknown,
  type ReplyDeps,
  ReplyFailed,
  type ReplyRun,
  tellDelivery,
  tellTurns,
} from './run.ts';

/** A web process that holds the connection gets 500 ms to claim the answer; most claim it within the first look. */
const looks = [10, 20, 50, 120, 300];
/** Where nothing can be sent, the platform's next repeat may still fetch the answer; it comes within 6 s. */
const looksForRepeat = Array.from({ length: 24 }, () => 250);

interface ToDeliver {
  platform: Platform;
  answer: Answer;
  meaning: Meaning;
}

/** Delivers the bot's answer: on the held connection if there is one, else through the platform's API. */
export async function deliver(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, answer, meaning }: ToDeliver,
): Promise<void> {
  const id = deliveryId(run.data);
  const message = holdsMessage(meaning);
  // A bare acknowledgement is no message: it takes no indicator away and opens no window.
  const out = async (): Promise<void> => (message ? inline(deps, run) : undefined);
  if (await handToHolder(deps, id, answer)) return out();
  if (message && deps.learned.isMute(platform) && (await claimed(deps, id, looksForRepeat))) return out();
  if (!(await deps.deliveries.take(id, deps.clock.now()))) return out();
  if (!message) return deps.deliveries.settle(id, 'sent');
  const release = await deps.makeWay(run.data);
  const sent = await send(run, { platform, answer });
  if (sent.is !== 'sent') await unblock(deps, run, release);
  await settle(deps, run, { platform, id, sent, meaning, release });
}

async function inline(deps: ReplyDeps, run: ReplyRun): Promise<void> {
  tellDelivery(deps, run, { way: 'inline', code: 0 });
  return reached(deps, run, { sent: false, release: null });
}

async function send(
  { data: { user } }: ReplyRun,
  { platform, answer }: Omit<ToDeliver, 'meaning'>,
): Promise<LateSend> {
  if (user !== null && platform.sendLate) return platform.sendLate(user, answer);
  return { is: 'impossible', reason: 'The push names no user.' };
}

async function unblock(deps: ReplyDeps, { data }: ReplyRun, release: string | null): Promise<void> {
  const { channel, account, user } = data;
  if (user === null || release === null) return;
  const event = { is: 'unblocked', doubt: false, at: deps.clock.now() } as const;
  await deps.events.tell({ channel, account, user }, event, { release });
}

/** Offers the answer to the web process that holds the connection, and waits for its claim. */
export async function handToHolder(deps: ReplyDeps, id: string, answer: Answer): Promise<boolean> {
  const holder = await deps.deliveries.offer(id, answer, deps.clock.now());
  if (!holder || (await deps.notify(holder, id)) === 0) return false;
  return claimed(deps, id, looks);
}

/** Whether a held connection claims the answer; looked for after each of these pauses (ms). */
async function claimed(deps: ReplyDeps, id: string, pauses: readonly number[]): Promise<boolean> {
  for (const pause of pauses) {
    await deps.clock.sleep(pause);
    if ((await deps.deliveries.standing(id)).state === 'inline') return true;
  }
  return false;
}

interface SendResult {
  platform: Platform;
  id: string;
  sent: LateSend;
  meaning: Meaning;
  release: string | null;
}

async function settle(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, id, sent, meaning, release }: SendResult,
): Promise<void> {
  if (sent.is === 'sent') {
    await deps.deliveries.settle(id, 'sent');
    tellDelivery(deps, run, { way: 'sent', code: 0 });
    return reached(deps, run, { sent: true, release });
  }
  if (sent.is === 'not-sent' && !run.last) {
    await deps.deliveries.settle(id, 'offered');
    throw new Error(`The answer was not sent: ${sent.cause}`);
  }
  await deps.deliveries.settle(id, sent.is === 'unknown' ? 'unknown' : 'failed');
  const way = sent.is === 'not-sent' ? 'failed' : sent.is;
  tellDelivery(deps, run, { way, code: sent.is === 'refused' ? sent.code : 0 });
  if (sent.is === 'refused' && sent.mayNotSend) await deps.learned.mute(platform);
  const lost = notTaken(meaning);
  if (lost) await tellTurns(deps, run, { meaning: lost, rules: platform.rules });
  throw new ReplyFailed(reasonOf(sent), { unknown: sent.is === 'unknown' });
}

function reasonOf(sent: Exclude<LateSend, { is: 'sent' }>): string {
  switch (sent.is) {
    case 'refused':
      return `The platform refused the answer with ${sent.code}: ${sent.reason}`;
    case 'impossible':
      return `The answer cannot be sent late: ${sent.reason}`;
    case 'unknown':
      return `${outcomeUnknown}: ${sent.cause}`;
    case 'not-sent':
      return `The answer was not sent: ${sent.cause}`;
  }
}

/**
 * A message that is out takes the indicator away: where another turn is open, it may be shown again now. One that was
 * `sent` counts among those that the platform allows.
 */
async function reached(
  deps: ReplyDeps,
  { data }: ReplyRun,
  { sent, release }: { sent: boolean; release: string | null },
): Promise<void> {
  const { channel, account } = data;
  // Bots answer some pushes that open no turn, too.
  const users = new Set([...data.turns.map(({ user }) => user), ...(data.user === null ? [] : [data.user])]);
  for (const user of users) {
    const conversation = { channel, account, user };
    const { state } = await deps.store.load(conversation);
    if (sent || state.turns.length > 0)
      await deps.events.tell(
        conversation,
        { is: 'interaction', sent, at: deps.clock.now() },
        release !== null && user === data.user ? { release } : {},
      );
  }
}
