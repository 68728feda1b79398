/** Whether a bot is there, how long it takes, and what its answer is. */
import { type Examiner, fail, type Finding, type Knock, ok, warn } from '../core/platform.ts';
import { type Answer, NoAnswer } from '../core/wire.ts';
import { call, type CallDeps, type Called, isEcho, isSuccess } from './call.ts';
import { tookOf } from './report.ts';

export interface Bot {
  url: string;
  /** For a knock, and for a real message (ms). */
  knockMs: number;
  messageMs: number;
}

export async function examineBot(
  deps: CallDeps,
  examiner: Examiner,
  bot: Bot & { push: boolean },
): Promise<Finding[]> {
  const knock = examiner.knock();
  const called = await call(deps, knock, { url: bot.url, timeoutMs: bot.knockMs });
  const reached = reachFinding(called, knock);
  if (!bot.push || reached.level === 'fail') return [reached];
  const said = await call(deps, examiner.message(), { url: bot.url, timeoutMs: bot.messageMs });
  return [reached, answerFinding(said, examiner)];
}

const sameSecret = 'Set the same secrets in the bot as here: it checks the signature itself.';

function reachFinding({ result, tookMs }: Called, knock: Knock): Finding {
  if (result instanceof NoAnswer) return unreachable(result);
  const { status } = result;
  const took = tookOf(tookMs);
  if ([502, 503, 504].includes(status))
    return fail('bot', { says: `a proxy answers for it with HTTP ${status}`, remedy: 'Start the bot.' });
  if (isSuccess(result) && (knock.expects === null || isEcho(result, knock.expects)))
    return ok('bot', `reached, answers in ${took}`);
  if (status === 401 || status === 403) {
    const level = knock.method === 'POST' ? fail : warn;
    return level('bot', { says: `reached, but refuses with HTTP ${status}`, remedy: sameSecret });
  }
  // A message comes by POST: where a bot takes only that, GET leads nowhere.
  if (knock.method === 'POST' && [404, 405, 410].includes(status))
    return fail('bot', { says: `HTTP ${status} at its URL`, remedy: "Check the path of the bot's URL." });
  const says = knock.expects === null ? `reached, but answers HTTP ${status}` : oddEcho(result);
  const remedy = knock.expects === null ? 'Look into its log.' : `It may do without; else: ${sameSecret}`;
  return warn('bot', { says, remedy });
}

function oddEcho(answer: Answer): string {
  return `reached (HTTP ${answer.status}), but does not answer the check of its URL`;
}

function unreachable({ message }: NoAnswer): Finding {
  const remedy = 'Start the bot, check its URL (botUrl), and that this machine reaches it.';
  return fail('bot', { says: `not reached (${message})`, remedy });
}

function answerFinding({ result, tookMs }: Called, examiner: Examiner): Finding {
  const what = "bot's answer";
  if (result instanceof NoAnswer) {
    const remedy = 'Look into its log; BOT_TIMEOUT_MS is how long keeptyping waits.';
    return fail(what, { says: `none to a message (${result.message})`, remedy });
  }
  if (!isSuccess(result)) {
    const says = `HTTP ${result.status} to a message`;
    return fail(what, { says, remedy: `Look into its log. ${sameSecret}` });
  }
  return ok(what, `${kinds[examiner.readAnswer(result).is]} after ${tookOf(tookMs)}`);
}

const kinds = {
  message: 'a message',
  acknowledgement: 'an acknowledgement, the message comes another way,',
  handoff: 'a hand-over to a human',
} as const;
