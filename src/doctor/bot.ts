/** Whether a bot is there, how long it takes, and what its answer is. */
import { isDeliveredAgain, meaningOf, withQuery } from '../core/bot.ts';
import { type Examiner, fail, type Fault, type Finding, type Knock, ok, warn } from '../core/platform.ts';
import { type Answer, asNoAnswer, NoAnswer, type Send } from '../core/wire.ts';
import { doctorsHeader } from '../http/webhook.ts';
import { said, saidElsewhere, saidTogether } from '../core/said.ts';
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
  const answered = await call(deps, examiner.message(), { url: bot.url, timeoutMs: bot.messageMs });
  return [reached, answerFinding(answered, examiner, bot.mode)];
}

const lookIntoLog = said('Look into its log.');
const sameSecret = said('Set the same secrets in the bot as here: it checks the signature itself.');

function reachFinding({ result, tookMs }: Called, knock: Knock): Finding {
  if (result instanceof NoAnswer) return unreachable(result);
  const { status } = result;
  const took = tookOf(tookMs);
  if ([502, 503, 504].includes(status))
    return fail('bot', {
      says: said('a proxy answers for it with HTTP {status}', { status }),
      remedy: said('Start the bot.'),
    });
  if (isSuccess(result) && (knock.expects === null || isEcho(result, knock.expects)))
    return ok('bot', said('reached, answers in {took}', { took }));
  if (status === 401 || status === 403) {
    const level = knock.method === 'POST' ? fail : warn;
    return level('bot', {
      says: said('reached, but refuses with HTTP {status}', { status }),
      remedy: sameSecret,
    });
  }
  // A message comes by POST: where a bot takes only that, GET leads nowhere.
  if (knock.method === 'POST' && [404, 405, 410].includes(status))
    return fail('bot', {
      says: said('HTTP {status} at its URL', { status }),
      remedy: said("Check the path of the bot's URL."),
    });
  if (knock.expects === null)
    return warn('bot', {
      says: said('reached, but answers HTTP {status}', { status }),
      remedy: lookIntoLog,
    });
  return warn('bot', {
    says: said('reached (HTTP {status}), but does not answer the check of its URL', { status }),
    remedy:
      status === 404
        ? said("Check the path of the bot's URL, unless the bot takes only POST there.")
        : said('It may do without; else set the same secrets in the bot as here.'),
  });
}

function unreachable({ message }: NoAnswer): Finding {
  const remedy = said('Start the bot, check its URL (botUrl), and that this machine reaches it.');
  return fail('bot', { says: said('not reached ({cause})', { cause: message }), remedy });
}

function answerFinding({ result, tookMs }: Called, examiner: Examiner, mode: Bot['mode']): Finding {
  const what = "bot's answer";
  if (result instanceof NoAnswer) {
    const remedy = said('Look into its log; BOT_TIMEOUT_MS is how long keeptyping waits.');
    return fail(what, { says: said('none to a message ({cause})', { cause: result.message }), remedy });
  }
  const answer = decoded(result) ?? result;
  const meaning = isSuccess(result) ? meaningOf(examiner.readAnswer(answer), result.headers) : null;
  const delivered = { status: result.status, meaning, tookMs };
  // Who fails at once has not waited for anything.
  if (examiner.evidence.inline && tookMs > livelyMs && isDeliveredAgain(delivered, closesAfter))
    return ok(
      what,
      said('{answer} after {took}: {waits}', {
        answer: meaning ?? `HTTP ${result.status}`,
        took: tookOf(tookMs),
        waits: livesOnRepeats[mode],
      }),
    );
  if (!isSuccess(result)) {
    const says = said('HTTP {status} to a message', { status: result.status });
    return fail(what, { says, remedy: saidTogether(lookIntoLog, sameSecret) });
  }
  const came = { kind: kinds[examiner.readAnswer(answer).is], took: tookOf(tookMs) };
  const unshown = examiner.unshown?.(answer);
  if (!unshown) return ok(what, said('{kind} after {took}', came));
  const why = { ...came, unshown: unshown.says };
  if (unshown.isSent && mode === 'job')
    return ok(what, said('{kind} after {took}, {unshown}: it goes out through the API', why));
  const remedy = saidTogether(unshown.remedy || null, mode === 'pass' ? jobMode : null);
  return warn(what, { says: said('{kind} after {took}, {unshown}', why), remedy });
}

/** WeChat closes a delivery after so long, and delivers the push again (ms). */
const closesAfter = 5_000;
const livelyMs = 3_000;

const livesOnRepeats = {
  job: said(
    "it waits for WeChat's next delivery, and is called again as WeChat would (unless WECHAT_REDELIVER=off)",
  ),
  pass: said("it waits for WeChat's next delivery"),
} as const;

const jobMode = said("Set the bot's mode (botMode) to job: only then it is sent.");

const kinds = {
  message: said('a message'),
  acknowledgement: said('an acknowledgement, the message comes another way,'),
  handoff: said('a hand-over to a human'),
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
    const took = { url, took: tookOf(tookMs) };
    const says =
      index === 0
        ? said('{url} takes a signed request, in {took}', took)
        : said('{url} takes a signed message, in {took}', took);
    findings.push(ok('webhook', says));
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
  const met = { unsigned: await statusOf(unsigned), wrong: await statusOf(wrong) };
  if (met.unsigned === 401 && met.wrong === 401)
    return ok(subject, said('an unsigned and a wrongly signed one are refused'));
  const says = said('{unsigned} to an unsigned one, {wrong} to a wrongly signed one', {
    unsigned: statusText(met.unsigned),
    wrong: statusText(met.wrong),
  });
  return warn(subject, { says, remedy: examiner.forged });
}

function statusText(status: number | null): string {
  return status === null ? said('no answer') : `HTTP ${status}`;
}

const address = said('Check the URL, and what stands before keeptyping: DNS, certificate, proxy, tunnel.');

function knockFault(result: Answer | NoAnswer, { expects }: Knock): Fault | null {
  if (result instanceof NoAnswer)
    return { says: said('not reached ({cause})', { cause: result.message }), remedy: address };
  const { status } = result;
  if (status === 401) {
    const remedy = said(
      'Start keeptyping there with the secrets that stand here, and see that no proxy changes the request.',
    );
    return { says: said('the signature is refused (HTTP 401)'), remedy };
  }
  if (status === 404) {
    const remedy = said(
      'Check the URL; start keeptyping there anew if the account is newer than the process.',
    );
    return { says: said('no such account there (HTTP 404)'), remedy };
  }
  if (!isSuccess(result)) return { says: saidElsewhere(`HTTP ${status}`), remedy: address };
  if (expects === null || isEcho(result, expects)) return null;
  return { says: said('somebody else answers there'), remedy: address };
}

const publicUrl = said('Give the public one: npm run doctor -- --webhook https://typing.example.com.');

/** Whether keeptyping listens there; null: it does. */
export async function findListener(send: Send, base: string): Promise<Fault | null> {
  const request = { method: 'GET', url: `${base}/healthz`, headers: [], body: null, timeoutMs: 2_000 };
  const answer = await send(request).catch(asNoAnswer);
  if (answer instanceof NoAnswer)
    return { says: said('not tried: nothing answers at {base}', { base }), remedy: publicUrl };
  if (new TextDecoder().decode(answer.body) === '{"status":"alive"}') return null;
  return { says: said('not tried: what answers at {base} is not keeptyping', { base }), remedy: publicUrl };
}
