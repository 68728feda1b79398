import { botAttempts, botPause } from '../core/bot.ts';
import type { Log } from '../core/ports.ts';
import type { Served, ServedBot } from '../core/roster.ts';
import type { Answer, RawPush } from '../core/wire.ts';
import { type CallBot, callBot, type CallBotDeps } from './call-bot.ts';
import { deliveryId } from './run.ts';

/**
 * The way without Redis: the web calls the bot itself, and sends a late answer from memory. Typing has to wait; the
 * message does not. What is under way here is lost with the process.
 */
export interface Direct {
  /** Calls the bot, once for all repeats of a push that meet here. */
  ask(served: Served, bot: ServedBot, asked: { key: string; push: RawPush }): SharedAnswer;
  /** Delivers an answer for which the platform did not wait. Resolves with false when it did not go out, as far as is known. */
  sendLate(served: Served, user: string | null, answer: Answer): Promise<boolean>;
  /** Resolves when nothing is under way any more. */
  idle(): Promise<void>;
}

/** One delivery's share in a call of the bot. */
export interface SharedAnswer {
  /** Resolves with the bot's answer, or null when it failed. */
  answer: Promise<Answer | null>;
  /** Whether it is for this delivery to bring the answer: it is the newest, and the answer was not sent late. */
  isOurs(): boolean;
  /** Takes the answer for sending it late; from then on it is nobody's. */
  take(): boolean;
}

interface DirectOptions extends CallBotDeps {
  log: Log;
}

/** Repeats of a push come within 15 s. */
const remembered = 60_000;

export function createDirect(options: DirectOptions): Direct {
  const calls = new Map<string, SharedCall>();
  const underWay = new Set<Promise<unknown>>();
  const track = <T>(work: Promise<T>): Promise<T> => {
    const tracked = work.finally(() => underWay.delete(tracked));
    underWay.add(tracked);
    return tracked;
  };
  return {
    ask: ({ platform }, bot, { key, push }) => {
      const { channel, account } = platform;
      const id = deliveryId({ channel, account, key });
      const call = calls.get(id) ?? {
        answer: track(askBot(options, bot, { key, push, id, place: { channel, account } })),
        deliveries: 0,
        taken: false,
      };
      const forget = (): void => void calls.delete(id);
      const keep = (): void => void setTimeout(forget, remembered).unref();
      // A failure is not kept: the repeat that it invites asks the bot anew.
      if (!calls.has(id)) call.answer.then((answer) => (answer ? keep() : forget()), forget);
      calls.set(id, call);
      return join(call);
    },
    sendLate: (served, user, answer) => track(sendLate(options.log, served, { user, answer })),
    idle: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

interface SharedCall {
  answer: Promise<Answer | null>;
  deliveries: number;
  taken: boolean;
}

function join(call: SharedCall): SharedAnswer {
  call.deliveries += 1;
  const delivery = call.deliveries;
  const isOurs = (): boolean => !call.taken && call.deliveries === delivery;
  return {
    answer: call.answer,
    isOurs,
    take: () => {
      const ours = isOurs();
      call.taken ||= ours;
      return ours;
    },
  };
}

async function askBot(
  deps: DirectOptions,
  bot: ServedBot,
  call: Pick<CallBot, 'key' | 'push' | 'place'> & { id: string },
): Promise<Answer | null> {
  for (let attempt = 1; ; attempt += 1) {
    const last = attempt === botAttempts;
    const called = await callBot(deps, bot, { ...call, user: null, attempt, last });
    if (called.is === 'answered') return called.answer;
    if (called.is !== 'again') {
      const reason = 'reason' in called ? called.reason : 'given up';
      deps.log.error(
        { push: call.id, attempt, reason },
        'The bot failed while Redis was away: the message has no answer.',
      );
      return null;
    }
    await deps.clock.sleep(botPause);
  }
}

async function sendLate(
  log: Log,
  { platform }: Served,
  late: { user: string | null; answer: Answer },
): Promise<boolean> {
  if (!platform.sendLate || (await platform.readAnswer(late.answer)).is === 'acknowledgement') return true;
  const account = { channel: platform.channel, account: platform.account };
  if (late.user === null) {
    log.error(account, 'A late answer cannot be sent: its push names no user.');
    return false;
  }
  const sent = await platform.sendLate(late.user, late.answer);
  if (sent.is === 'sent') return true;
  log.error({ ...account, ...sent }, 'An answer was not delivered while Redis was away.');
  return false;
}
