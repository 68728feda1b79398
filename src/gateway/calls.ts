import type { IncomingMessage } from 'node:http';
import type { Observe } from '../core/notice.ts';
import type { GatewayPlatform, OwnCall, Verdict } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Answer } from '../core/wire.ts';
import { exchange, type Exchange, type TellAnswer } from './exchange.ts';
import type { GatewayWatch, Sending } from './watch.ts';

interface CallReading {
  platform: GatewayPlatform;
  watch: GatewayWatch;
  clock: Pick<Clock, 'now'>;
  log: Log;
  observe?: Observe | undefined;
}

/** Messages are a few kB; a longer call passes unread (bytes). */
const bodyLimit = 1024 * 1024;

/** Makes a call that may say something of a user: it is read whole before it leaves, and its answer on the way. */
export function exchangeRead(reading: CallReading, call: Exchange, path: string): void {
  takeBody(call.request, bodyLimit, (body) => {
    const own = body === null ? null : reading.platform.ownCalls.read(path, body);
    if (body === null || own === null) exchange({ ...call, body });
    else if (own.is === 'send') announce(reading, { ...call, body }, own);
    else exchange({ ...call, body, told: beside(reading, own) });
  });
}

type Send = Extract<OwnCall, { is: 'send' }>;

/** The head of the call leaves while Redis is asked: without the body no platform does anything. */
function announce(reading: CallReading, { body, ...call }: Exchange & { body: Buffer }, own: Send): void {
  const { watch, platform, clock, log } = reading;
  const from = clock.now();
  let sending: Sending | null = null;
  let isFree = false;
  const free = watch
    .sending(platform, own.user, own)
    .then(
      (it) => (sending = it),
      (error) => log.error({ account: platform.account, error }, 'A message of the bot passes unwatched.'),
    )
    .then(() => {
      isFree = true;
      tellOverhead(reading, { from, waitedForShow: sending?.waitedForShow === true });
      return body;
    });
  const over = safely(reading, (verdict) => sending?.over(verdict));
  // The bot may hang up, or the API answer, before the body has left.
  const told: TellAnswer = (answer) => (isFree ? over(answer) : void free.then(() => over(answer)));
  exchange({ ...call, body: free, told });
}

function tellOverhead(
  { platform, clock, observe }: CallReading,
  { from, waitedForShow }: { from: number; waitedForShow: boolean },
): void {
  const { channel, account } = platform;
  const at = clock.now();
  observe?.({ is: 'gateway', at, channel, account, overheadMs: at - from, waitedForShow });
}

function beside(reading: CallReading, own: Exclude<OwnCall, Send>): TellAnswer {
  const { watch, platform } = reading;
  const { user } = own;
  return safely(reading, (verdict) =>
    own.is === 'aside'
      ? watch.aside(platform, user, verdict)
      : watch.typed(platform, user, { on: own.on, verdict }),
  );
}

/** Whatever goes wrong in the telling, the bot's call goes on. */
function safely({ platform, log }: CallReading, tell: (verdict: Verdict) => void): TellAnswer {
  return (answer) => {
    try {
      tell(verdictOf(platform, answer));
    } catch (error) {
      log.error({ account: platform.account, error }, 'What became of a call of the bot was lost.');
    }
  };
}

function verdictOf({ ownCalls }: GatewayPlatform, answer: Answer | null): Verdict {
  return answer === null ? { is: 'unknown' } : ownCalls.verdict(answer);
}

/** The whole body, or null when it is longer: then all of it is still to come. Not called when the bot hangs up. */
function takeBody(request: IncomingMessage, limit: number, taken: (body: Buffer | null) => void): void {
  if (Number(request.headers['content-length'] ?? 0) > limit) return taken(null);
  const chunks: Buffer[] = [];
  let size = 0;
  const end = (): void => taken(Buffer.concat(chunks));
  const data = (chunk: Buffer): void => {
    chunks.push(chunk);
    size += chunk.length;
    if (size <= limit) return;
    request.off('data', data).off('end', end).pause();
    request.unshift(Buffer.concat(chunks));
    taken(null);
  };
  request.on('data', data).once('end', end);
}
