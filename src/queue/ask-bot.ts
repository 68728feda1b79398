import { badGateway, botRequest, type BotVerdict, judgeBot } from '../core/bot.ts';
import type { Platform } from '../core/platform.ts';
import { type Answer, asNoAnswer, NoAnswer } from '../core/wire.ts';
import { handToHolder } from './deliver.ts';
import { restorePush } from './jobs.ts';
import { type Bot, deliveryId, type ReplyDeps, ReplyFailed, type ReplyRun, tellTurns } from './reply-run.ts';

/**
 * Calls the bot with the push.
 * @throws ReplyFailed when no further try is due; another error when one is; the signal's reason when aborted.
 */
export async function askBot(
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
