/**
 * The one call of the bot, for every mode: reply jobs, pushes that are passed on, and those that are answered without
 * Redis. Whether another call may follow a failed one is decided in `core/bot.ts`.
 */
import { botRequest, type BotRetry, judgeBot } from '../core/bot.ts';
import type { AccountNotice, Observe } from '../core/notice.ts';
import type { Clock } from '../core/ports.ts';
import type { ServedBot } from '../core/roster.ts';
import { type Answer, asNoAnswer, NoAnswer, type RawPush, type Send } from '../core/wire.ts';

export interface CallBotDeps {
  /** Makes the call, unless the bot has a way of its own. */
  send: Send;
  clock: Clock;
  /** @default nobody */
  observe?: Observe | undefined;
}

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
  });
  if (answer && verdict === 'answered') return { is: verdict, answer };
  const reason = result instanceof NoAnswer ? result.message : `status ${result.status}`;
  return { is: verdict === 'again' ? 'again' : 'failed', answer, reason };
}
