/**
 * The bot: one call of it, for every mode; the calls that a push may take; and what it has said. Whether another call may
 * follow is decided in `core/bot.ts`.
 */
import {
  addressOf,
  badGateway,
  botAttempts,
  botPause,
  botRequest,
  type BotRetry,
  causeOf,
  isDeliveredAgain,
  judgeBot,
  type Meaning,
  meaningOf,
} from '../core/bot.ts';
import type { AccountNotice } from '../core/notice.ts';
import type { ServedBot } from '../core/roster.ts';
import type { Platform } from '../core/platform.ts';
import { type Answer, asNoAnswer, headerOf, NoAnswer, type RawPush } from '../core/wire.ts';
import { decoded } from './coding.ts';
import type { CallBotDeps, Carried, CarryDeps } from './run.ts';

export interface CallBot {
  /** Whose push it is. */
  place: AccountNotice;
  /** null: nobody is known. */
  user: string | null;
  /** The push's key: the turn, and what the bot knows a repeat by. */
  key: string;
  push: RawPush;
  /** 1 for the first call of the bot with this push. */
  attempt: number;
  /** No further try follows this one. */
  last: boolean;
  /** @default as the bot's account says */
  retry?: BotRetry;
  /** When the push arrived (ms): what its first call was late by is told. @default not told */
  arrivedAt?: number;
  /** Gives the call up. */
  signal?: AbortSignal;
}

type BotResult =
  | { is: 'answered'; answer: Answer }
  /** `answer`: what it said with a failing status; null: nothing. `reason`: its status, or why it said nothing. */
  | { is: 'again' | 'failed'; answer: Answer | null; reason: string }
  /** The signal was aborted: whether the bot has begun is not known. */
  | { is: 'given-up' };

/** Calls the bot with the push, as the platform would have. Nothing is told of a call that was given up. */
export async function callBot(
  deps: CallBotDeps,
  bot: Pick<ServedBot, 'url' | 'timeoutMs' | 'retry' | 'send'>,
  call: CallBot,
): Promise<BotResult> {
  const { key, push, attempt, last, arrivedAt, signal, retry = bot.retry } = call;
  const request = botRequest({ botUrl: bot.url, push, key, attempt, timeoutMs: bot.timeoutMs });
  const from = deps.clock.now();
  const send = bot.send ?? deps.send;
  const result = await send(signal ? { ...request, signal } : request).catch(asNoAnswer);
  if (signal?.aborted && result instanceof NoAnswer) return { is: 'given-up' };
  const at = deps.clock.now();
  const judged = judgeBot(result, retry, at - from);
  const verdict = judged === 'again' && last ? 'failed' : judged;
  const answer = result instanceof NoAnswer ? null : result;
  const reason = causeOf(result, bot.timeoutMs);
  const overheadMs = arrivedAt !== undefined && attempt === 1 ? Math.max(0, from - arrivedAt) : null;
  deps.observe?.({
    is: 'bot',
    at,
    ...call.place,
    user: call.user,
    turn: key,
    status: answer?.status ?? 0,
    result: verdict,
    ms: at - from,
    overheadMs,
    ...(verdict === 'answered' ? {} : { why: `${reason}, ${addressOf(bot.url)}` }),
  });
  if (answer && verdict === 'answered') return { is: verdict, answer };
  return { is: verdict === 'again' ? 'again' : 'failed', answer, reason };
}

/** What the bot's answer means for the push's turns. One that cannot be read goes out as it is: it is a message. */
export async function meaningIn(platform: Platform, answer: Answer): Promise<Meaning> {
  return meaningOf(await platform.readAnswer(plainOf(answer) ?? answer), answer.headers);
}

/** The answer as it reads; null: it is encoded in a way that nobody can read. */
export function plainOf(answer: Answer): Answer | null {
  return headerOf(answer.headers, 'Content-Encoding') === null ? answer : decoded(answer);
}

/** `why`: the bot has failed, and `answer` is what it said with that. */
export type Asked = { answer: Answer; why?: undefined } | { answer: Answer; why: string; calls: number };

/** Calls the bot, again where it cannot have begun, or where the platform would have delivered the push again. */
export async function askBot(deps: CarryDeps, carried: Carried): Promise<Asked> {
  const { platform, bot, data, push, signal } = carried;
  const { channel, account } = platform;
  const { user, key, arrivedAt } = data;
  const call = { place: { channel, account }, user, key, push, signal };
  const timed = arrivedAt === undefined ? {} : { arrivedAt };
  for (let attempt = carried.attempt, refusals = 0; ; attempt += 1) {
    const from = deps.clock.now();
    const last = refusals + 1 === botAttempts;
    const called = await callBot(deps, bot, { ...call, ...timed, attempt, last });
    if (called.is === 'given-up') throw signal.reason;
    if (called.is === 'again') {
      refusals += 1;
      await deps.clock.sleep(botPause, signal);
      continue;
    }
    const { answer: said } = called;
    const tookMs = deps.clock.now() - from;
    if (said && (await isNextDue(deps, carried, { number: attempt - refusals, answer: said, tookMs }))) {
      // No later than the platform's own: where nothing can be sent, its last delivery is all that is left.
      const left = Math.max(0, platform.rules.patience - tookMs);
      await deps.clock.sleep(Math.min(botPause, left), signal);
      continue;
    }
    if (called.is === 'answered') return { answer: called.answer };
    const did = called.answer ? 'answered with' : 'did not answer:';
    const why = `The bot at ${addressOf(bot.url)} ${did} ${called.reason}`;
    return { answer: called.answer ?? badGateway, why, calls: attempt };
  }
}

/** One delivery of the push, as the bot has seen and answered it. */
interface Delivered {
  number: number;
  answer: Answer;
  tookMs: number;
}

/** Whether the bot waits for the platform's next delivery of the push. */
async function isNextDue(deps: CarryDeps, carried: Carried, delivered: Delivered): Promise<boolean> {
  const { platform, bot, data } = carried;
  const { deliveries, patience } = platform.rules;
  const { number, answer, tookMs } = delivered;
  if (!bot.redeliver || number >= deliveries || data.turns.length === 0) return false;
  const { status } = answer;
  const meaning = status < 300 ? await meaningIn(platform, answer) : null;
  if (!isDeliveredAgain({ status, meaning, tookMs }, patience)) return false;
  if (await deps.isAnswered?.(data)) return false;
  const { account } = platform;
  deps.log.info(
    { account, push: carried.id, delivery: number, status, ms: Math.round(tookMs) },
    "The bot waits for the platform's next delivery: it is called again, as the platform would.",
  );
  return true;
}
