/** Whether a bot is there, how long it takes, and what its answer is. */
import { isDeliveredAgain, meaningOf, withQuery } from '../core/bot.ts';
import { type Examiner, fail, type Fault, type Finding, type Knock, ok, warn } from '../core/platform.ts';
import { type Answer, asNoAnswer, NoAnswer, type Send } from '../core/wire.ts';
import { doctorsHeader } from '../http/webhook.ts';
import { decoded } from '../replies/coding.ts';
import { tookOf } from './check.ts';

interface Bot {
  url: string;
  mode: 'job' | 'pass';
  /** For a knock, and for a real message (ms). */
  knockMs: number;
  messageMs: number;
}

export async function examineBot(
  deps: BotCallDeps,
  examiner: Examiner,
  bot: Bot & { push: boolean },
): Promise<Finding[]> {
  const knock = examiner.knock();
  const called = await call(deps, knock, { url: bot.url, timeoutMs: bot.knockMs });
  const reached = reachFinding(called, knock);
  if (!bot.push || reached.level === 'fail') return [reached];
  const said = await call(deps, examiner.message(), { url: bot.url, timeoutMs: bot.messageMs });
  return [reached, answerFinding(said, examiner, bot.mode)];
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

function answerFinding({ result, tookMs }: Called, examiner: Examiner, mode: Bot['mode']): Finding {
  const what = "bot's answer";
  if (result instanceof NoAnswer) {
    const remedy = 'Look into its log; BOT_TIMEOUT_MS is how long keeptyping waits.';
    return fail(what, { says: `none to a message (${result.message})`, remedy });
  }
  const answer = decoded(result) ?? result;
  const meaning = isSuccess(result) ? meaningOf(examiner.readAnswer(answer), result.headers) : null;
  const said = { status: result.status, meaning, tookMs };
  // Who fails at once has not waited for anything.
  if (examiner.evidence.inline && tookMs > livelyMs && isDeliveredAgain(said, closesAfter))
    return ok(what, `${meaning ?? `HTTP ${result.status}`} after ${tookOf(tookMs)}: ${livesOnRepeats[mode]}`);
  if (!isSuccess(result)) {
    const says = `HTTP ${result.status} to a message`;
    return fail(what, { says, remedy: `Look into its log. ${sameSecret}` });
  }
  const says = `${kinds[examiner.readAnswer(answer).is]} after ${tookOf(tookMs)}`;
  const unshown = examiner.unshown?.(answer);
  if (!unshown) return ok(what, says);
  const why = `${says}, ${unshown.says}`;
  if (unshown.isSent && mode === 'job') return ok(what, `${why}: it goes out through the API`);
  return warn(what, { says: why, remedy: `${unshown.remedy} ${mode === 'pass' ? jobMode : ''}`.trim() });
}

/** WeChat closes a delivery after so long, and delivers the push again (ms). */
const closesAfter = 5_000;
const livelyMs = 3_000;

const livesOnRepeats = {
  job: "it waits for WeChat's next delivery, and is called again as WeChat would (unless WECHAT_REDELIVER=off)",
  pass: "it waits for WeChat's next delivery",
} as const;

const jobMode = "Set the bot's mode (botMode) to job: only then it is sent.";

const kinds = {
  message: 'a message',
  acknowledgement: 'an acknowledgement, the message comes another way,',
  handoff: 'a hand-over to a human',
} as const;

/** One request to a bot or a webhook, as a value. */

interface BotCallDeps {
  send: Send;
  /** ms. */
  now: () => number;
}

interface Called {
  result: Answer | NoAnswer;
  tookMs: number;
}

async function call(
  { send, now }: BotCallDeps,
  knock: Knock,
  /** `isOurs`: keeptyping listens there. */
  to: { url: string; timeoutMs: number; isOurs?: boolean },
): Promise<Called> {
  const began = now();
  const { method, rawQuery, body } = knock;
  const headers = to.isOurs ? [...knock.headers, [doctorsHeader, '1'] as const] : knock.headers;
  const url = withQuery(to.url, rawQuery);
  const result = await send({ method, url, headers, body, timeoutMs: to.timeoutMs }).catch(asNoAnswer);
  return { result, tookMs: now() - began };
}

function isSuccess(answer: Answer): boolean {
  return answer.status >= 200 && answer.status <= 299;
}

/** Whether what was to come back came back, white space at its ends aside. */
function isEcho(answer: Answer, expects: string): boolean {
  return new TextDecoder().decode(answer.body).trim() === expects;
}

/** Whether a push finds its way to keeptyping, as the platform makes it. */

interface Webhook {
  /** Without a slash at the end. */
  base: string;
  /** As long as the platform waits (ms). */
  timeoutMs: number;
  push: boolean;
}

export async function examineWebhook(
  deps: BotCallDeps,
  examiner: Examiner,
  { base, timeoutMs, push }: Webhook,
): Promise<Finding[]> {
  const url = `${base}/webhooks/${examiner.channel}/${examiner.account}`;
  const knocks = [examiner.knock(), ...(push ? [examiner.message()] : [])];
  const findings: Finding[] = [];
  for (const [index, knock] of knocks.entries()) {
    const { result, tookMs } = await call(deps, knock, { url, timeoutMs, isOurs: true });
    const fault = knockFault(result, knock);
    if (fault) return [...findings, fail('webhook', fault)];
    const what = index === 0 ? 'takes a signed request' : 'takes a signed message';
    findings.push(ok('webhook', `${url} ${what}, in ${tookOf(tookMs)}`));
  }
  return [...findings, await examineForgeries(deps, examiner, { url, timeoutMs })];
}

async function examineForgeries(
  deps: BotCallDeps,
  examiner: Examiner,
  to: { url: string; timeoutMs: number },
): Promise<Finding> {
  const subject = 'forged requests';
  const { unsigned, wrong } = examiner.forgeries();
  const statusOf = async (knock: Knock): Promise<number | null> => {
    const { result } = await call(deps, knock, { ...to, isOurs: true });
    return result instanceof NoAnswer ? null : result.status;
  };
  const met = { 'an unsigned one': await statusOf(unsigned), 'a wrongly signed one': await statusOf(wrong) };
  const taken = Object.entries(met).filter(([, status]) => status !== 401);
  if (taken.length === 0) return ok(subject, 'an unsigned and a wrongly signed one are refused');
  const says = taken.map(
    ([which, status]) => `${status === null ? 'no answer' : `HTTP ${status}`} to ${which}`,
  );
  return warn(subject, { says: says.join(', '), remedy: examiner.forged });
}

const address = 'Check the URL, and what stands before keeptyping: DNS, certificate, proxy, tunnel.';

function knockFault(result: Answer | NoAnswer, { expects }: Knock): Fault | null {
  if (result instanceof NoAnswer) return { says: `not reached (${result.message})`, remedy: address };
  const { status } = result;
  if (status === 401) {
    const remedy =
      'Start keeptyping there with the secrets that stand here, and see that no proxy changes the request.';
    return { says: 'the signature is refused (HTTP 401)', remedy };
  }
  if (status === 404) {
    const remedy = 'Check the URL; start keeptyping there anew if the account is newer than the process.';
    return { says: 'no such account there (HTTP 404)', remedy };
  }
  if (!isSuccess(result)) return { says: `HTTP ${status}`, remedy: address };
  if (expects === null || isEcho(result, expects)) return null;
  return { says: 'somebody else answers there', remedy: address };
}

const publicUrl = 'Give the public one: npm run doctor -- --webhook https://typing.example.com';

/** Whether keeptyping listens there; null: it does. */
export async function findListener(send: Send, base: string): Promise<Fault | null> {
  const request = { method: 'GET', url: `${base}/healthz`, headers: [], body: null, timeoutMs: 2_000 };
  const answer = await send(request).catch(asNoAnswer);
  if (answer instanceof NoAnswer)
    return { says: `not tried: nothing answers at ${base}`, remedy: `${publicUrl}.` };
  if (new TextDecoder().decode(answer.body) === '{"status":"alive"}') return null;
  return { says: `not tried: what answers at ${base} is not keeptyping`, remedy: `${publicUrl}.` };
}
