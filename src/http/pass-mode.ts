import { badGateway, botRequest, holdsMessage, notTaken } from '../core/bot.ts';
import { type Answer, asNoAnswer, NoAnswer, type Send } from '../core/wire.ts';
import { hangUpOf, write } from './respond.ts';
import { type Task, warn, type WebDeps } from './task.ts';
import { tellCall, tellDelivery } from './told.ts';
import { meaningOf, tellEnd, tellReached } from './turn-end.ts';

export interface PassDeps extends Pick<WebDeps, 'intake' | 'clock' | 'log' | 'observe'> {
  send: Send;
}

/**
 * Each delivery, repeats included, goes to the bot at once and its answer back byte for byte; it is dropped when the
 * platform hangs up. Only the typing goes through Redis, and nothing here waits for it.
 */
export async function passOn(deps: PassDeps, task: Task): Promise<void> {
  const { served, bot, received, push, response } = task;
  deps.intake
    .tell(served.platform, received.happenings, 'passed')
    .catch((error: unknown) => warn(deps.log, error));
  const hangUp = hangUpOf(response);
  const call = { botUrl: bot.url, push, key: received.key, attempt: 1, timeoutMs: bot.timeoutMs };
  const from = deps.clock.now();
  const result = await (bot.send ?? deps.send)({ ...botRequest(call), signal: hangUp }).catch(asNoAnswer);
  if (result instanceof NoAnswer && !hangUp.aborted) {
    deps.log.warn({ push: received.key, reason: result.message }, 'The bot did not answer a delivery.');
  }
  if (!hangUp.aborted) tellCall(deps, task, { from, result });
  const answer = result instanceof NoAnswer ? badGateway : result;
  const meaning = await meaningOf(served.platform, succeeded(result), 'missed');
  // The end is told before the answer leaves: no show may be decided for a phone that already has its message.
  const told = tellEnd(deps, task, meaning);
  const written = await write(response, answer);
  await told;
  const lost = written ? null : notTaken(meaning);
  if (lost) await tellEnd(deps, task, lost);
  if (written && holdsMessage(meaning)) tellDelivery(deps, task, 'passed');
  if (written && meaning === 'message-first') await tellReached(deps, task, { sent: false });
}

/** A failing status is the bot's answer to this delivery, and no answer to the user. */
function succeeded(result: Answer | NoAnswer): Answer | null {
  return result instanceof NoAnswer || result.status < 200 || result.status >= 300 ? null : result;
}
