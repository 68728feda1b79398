import { meaningOf } from '../core/bot.ts';
import type { Platform } from '../core/platform.ts';
import { askBot } from './ask-bot.ts';
import { deliver } from './deliver.ts';
import { Postponed } from './postponed.ts';
import {
  type Bot,
  deliveryId,
  outcomeUnknown,
  type ReplyDeps,
  ReplyFailed,
  type ReplyRun,
  tellDelivery,
  tellTurns,
} from './reply-run.ts';

/** A send takes no longer than this: a token, a retry and the request (ms). */
const sendLimit = 20_000;

/** Carries one push through: calls the bot, says how the turn ended, delivers what the bot answered. */
export async function reply(deps: ReplyDeps, run: ReplyRun): Promise<void> {
  const { data } = run;
  const platform = deps.platformOf(data);
  const bot = platform && deps.botOf(platform);
  if (!platform || !bot)
    throw new ReplyFailed(
      `The account ${data.channel}/${data.account} has no bot any more: configure it and run the job again.`,
    );
  if (deps.shares.isCrowded(platform, bot.concurrency)) {
    throw new Postponed(deps.shares.turnAway(platform, run.job));
  }
  const leave = deps.shares.enter(platform, run.job);
  await carry(deps, run, { platform, bot }).finally(leave);
}

async function carry(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, bot }: { platform: Platform; bot: Bot },
): Promise<void> {
  const { data } = run;
  tellLag(deps, run);
  const id = deliveryId(data);
  const standing = await deps.deliveries.standing(id);
  if (standing.state === 'sending') {
    // Another process may still be at it: a job can stall without its process being dead.
    const waitMs = standing.sendingAt + sendLimit - deps.clock.now();
    if (waitMs > 0) throw new Postponed(waitMs);
    // It died between the request and the note of its outcome: only a person may send it again.
    await deps.deliveries.settle(id, 'unknown');
    tellDelivery(deps, run, { way: 'unknown', code: 0 });
    throw new ReplyFailed(`${outcomeUnknown}: a process died while it sent the answer.`);
  }
  if (standing.state === 'offered' && standing.answer)
    return deliver(deps, run, { platform, answer: standing.answer });
  if (standing.state === 'failed' || standing.state === 'unknown')
    throw new ReplyFailed(
      `The delivery is settled as ${standing.state}: npm run replies -- retry runs it again.`,
    );
  if (standing.state) return;
  const answer = await askBot(deps, run, { platform, bot });
  const meaning = meaningOf(await platform.readAnswer(answer), answer.headers);
  await tellTurns(deps, run, { meaning, rules: platform.rules });
  if (platform.sendLate) await deliver(deps, run, { platform, answer });
}

/** Once, when a place is found: a job that is turned away comes several times. */
function tellLag({ clock, observe }: ReplyDeps, { data, attempt }: ReplyRun): void {
  if (attempt !== 1 || data.arrivedAt === undefined) return;
  const at = clock.now();
  observe?.({ is: 'lag', at, queue: 'replies', ms: Math.max(0, at - data.arrivedAt) });
}
