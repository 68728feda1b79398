import { badGateway, botRequest, type BotVerdict, judgeBot, meaningOf } from '../core/bot.ts';
import type { Platform } from '../core/platform.ts';
import { type Answer, asNoAnswer, NoAnswer } from '../core/wire.ts';
import { restorePush } from '../typing/jobs.ts';
import { Postponed } from '../typing/shares.ts';
import { deliver, handToHolder } from './deliver.ts';
import {
  type Bot,
  deliveryId,
  outcomeUnknown,
  type ReplyDeps,
  ReplyFailed,
  type ReplyRun,
  tellDelivery,
  tellTurns,
} from './run.ts';

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
    throw new ReplyFailed(`${outcomeUnknown}: a process died while it sent the answer.`, { unknown: true });
  }
  if (standing.state === 'offered' && standing.answer)
    return deliver(deps, run, { platform, answer: standing.answer });
  if (standing.state === 'failed' || standing.state === 'unknown')
    throw new ReplyFailed(
      `The delivery is settled as ${standing.state}: npm run replies -- retry runs it again.`,
      { unknown: standing.state === 'unknown' },
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

/**
 * Calls the bot with the push.
 * @throws ReplyFailed when no further try is due; another error when one is; the signal's reason when aborted.
 */
async function askBot(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, bot }: { platform: Platform; bot: Bot },
): Promise<Answer> {
  const { data, attempt, signal } = run;
  const call = {
    botUrl: bot.url,
    push: restorePush(data.push),
    key: data.key,
    attempt,
    timeoutMs: bot.timeoutMs,
  };
  const from = deps.clock.now();
  const result = await (bot.send ?? deps.send)({ ...botRequest(call), signal }).catch(asNoAnswer);
  if (result instanceof NoAnswer) signal.throwIfAborted();
  const verdict = judgeBot(result, bot.retry);
  tellCall(deps, run, { from, result, verdict: verdict === 'again' && run.last ? 'failed' : verdict });
  if (verdict === 'answered' && !(result instanceof NoAnswer)) return result;
  const reason =
    result instanceof NoAnswer
      ? `The bot did not answer: ${result.message}`
      : `The bot answered with status ${result.status}.`;
  if (verdict === 'again' && !run.last) throw new Error(reason);
  await tellTurns(deps, run, { meaning: 'failed', rules: platform.rules });
  if (platform.sendLate) await showFailure(deps, deliveryId(data), result);
  throw new ReplyFailed(reason);
}

function tellCall(
  { observe, clock }: ReplyDeps,
  { data, attempt }: ReplyRun,
  { from, result, verdict }: { from: number; result: Answer | NoAnswer; verdict: BotVerdict },
): void {
  const { channel, account, user, key: turn, arrivedAt = from } = data;
  const at = clock.now();
  const status = result instanceof NoAnswer ? 0 : result.status;
  const overheadMs = attempt === 1 ? Math.max(0, from - arrivedAt) : null;
  const call = { turn, status, result: verdict, ms: at - from, overheadMs };
  observe?.({ is: 'bot', at, channel, account, user, ...call });
}

/** A held connection gets the bot's own failure: the platform repeats and tells its user, as without keeptyping. */
async function showFailure(deps: ReplyDeps, id: string, result: Answer | NoAnswer): Promise<void> {
  const answer = result instanceof NoAnswer ? badGateway : result;
  const taken = await handToHolder(deps, id, answer);
  if (!taken && (await deps.deliveries.take(id, deps.clock.now())))
    await deps.deliveries.settle(id, 'failed', 'forget');
}
