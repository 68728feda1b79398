import type { Clock } from '../core/clock.ts';
import { botRequest, judgeBot } from '../core/forward.ts';
import type { Log } from '../core/log.ts';
import { NoAnswer, type Answer, type RawPush, type Send } from '../core/wire.ts';
import type { Served, ServedBot } from './served.ts';

/**
 * The way without Redis: the web calls the bot itself, and sends a late answer from memory. Typing has to wait; the
 * message does not. What is under way here is lost with the process.
 */
export interface Direct {
  /** Calls the bot, once for all repeats of a push that meet here. Resolves with its answer, or null when it failed. */
  ask(served: Served, bot: ServedBot, asked: { key: string; push: RawPush }): Promise<Answer | null>;
  /** Delivers an answer for which the platform did not wait. */
  sendLate(served: Served, user: string | null, answer: Answer): Promise<void>;
  /** Resolves when nothing is under way any more. */
  idle(): Promise<void>;
}

export interface DirectOptions {
  send: Send;
  clock: Clock;
  log: Log;
}

/** A bot that cannot have begun is called three times in all. */
const attempts = 3;
const pause = 1_000;
/** Repeats of a push come within 15 s. */
const remembered = 60_000;

export function createDirect(options: DirectOptions): Direct {
  const asked = new Map<string, Promise<Answer | null>>();
  const underWay = new Set<Promise<unknown>>();
  const track = <T>(work: Promise<T>): Promise<T> => {
    const tracked = work.finally(() => underWay.delete(tracked));
    underWay.add(tracked);
    return tracked;
  };
  return {
    ask: ({ platform }, bot, { key, push }) => {
      const id = `${platform.channel}/${platform.account}/${key}`;
      const known = asked.get(id);
      if (known) return known;
      const answer = track(callBot(options, bot, { key, push, id }));
      asked.set(id, answer);
      void answer.then(() => setTimeout(() => asked.delete(id), remembered).unref());
      return answer;
    },
    sendLate: (served, user, answer) => track(sendLate(options.log, served, { user, answer })),
    idle: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

interface Asked {
  id: string;
  key: string;
  push: RawPush;
}

async function callBot(
  { send, clock, log }: DirectOptions,
  bot: ServedBot,
  asked: Asked,
): Promise<Answer | null> {
  for (let attempt = 1; ; attempt += 1) {
    const request = botRequest({ botUrl: bot.url, timeoutMs: bot.timeoutMs, attempt, ...asked });
    const result = await send(request).catch((error: unknown) => {
      if (error instanceof NoAnswer) return error;
      throw error;
    });
    const verdict = judgeBot(result, bot.retry);
    if (verdict === 'answered' && !(result instanceof NoAnswer)) return result;
    if (verdict === 'failed' || attempt === attempts) {
      const reason = result instanceof NoAnswer ? result.message : `status ${result.status}`;
      log.error(
        { push: asked.id, attempt, reason },
        'The bot failed while Redis was away: the message has no answer.',
      );
      return null;
    }
    await clock.sleep(pause);
  }
}

async function sendLate(
  log: Log,
  { platform }: Served,
  late: { user: string | null; answer: Answer },
): Promise<void> {
  if (!platform.sendLate || (await platform.readAnswer(late.answer)).is === 'acknowledgement') return;
  const account = { channel: platform.channel, account: platform.account };
  if (late.user === null) return log.error(account, 'A late answer cannot be sent: its push names no user.');
  const sent = await platform.sendLate(late.user, late.answer);
  if (sent.is !== 'sent')
    log.error({ ...account, ...sent }, 'An answer was not delivered while Redis was away.');
}
