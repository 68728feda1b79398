/**
 * Pushes that are too long to be held, such as a history of thousands of messages (Meta: webhooks/reference/history): they
 * go to the bot as they come. Nothing of them is read, so they open no turns, and nothing is kept: what the platform hears
 * is the bot's own answer, and where there is none, it sends the push again. They have no `Idempotency-Key`, which is made
 * of what a push says.
 */
import type { Request, Response } from 'express';
import { toBot, withQuery } from '../core/bot.ts';
import type { Following, Received, Refusal } from '../core/platform.ts';
import type { Served } from '../core/roster.ts';
import { asNoAnswer, NoAnswer, type PushHead } from '../core/wire.ts';
import { hangUpOf, leave, pushOf, refuseUnread, write } from './respond.ts';
import { candidatesOf, tellPush, unknownOf, type WebhookDeps } from './webhook.ts';

type LongDeps = Pick<
  WebhookDeps,
  'accounts' | 'send' | 'clock' | 'log' | 'observe' | 'refused' | 'mayCome' | 'isSkipped'
>;

/** Passes it on to the bot of the account that the URL, or the signature of its query, means. */
export async function passLong(deps: LongDeps, request: Request, response: Response): Promise<void> {
  const head = pushOf(request);
  const [served, ...others] = candidatesOf(deps.accounts, request).filter(
    ({ platform }) => !platform.admit?.(head),
  );
  if (!served) return refuseUnread(request, response, unknownOf(deps, request));
  if (others.length > 0) return refuseUnread(request, response, { status: 413, error: nameless });
  const following = served.platform.follow?.(head) ?? null;
  if (following && 'is' in following) {
    tellPush(deps, { served, received: following }, { head, at: deps.clock.now() });
    return refuseUnread(request, response, following);
  }
  const checked = createChecked(head, request, following);
  const answer = await hand(deps, served, { head, request, response, bytes: checked.bytes });
  if (response.headersSent || response.destroyed) return;
  const received = checked.refusal() ?? unread;
  tellPush(deps, { served, received }, { head, at: deps.clock.now() });
  if (received.is === 'refusal') return refuseUnread(request, response, received);
  if (answer instanceof NoAnswer) {
    const { account } = served.platform;
    deps.log.warn(
      { account, reason: answer.message },
      'The bot did not take a push that is too long to be kept.',
    );
    return refuseUnread(request, response, { status: 502, error: 'The bot did not answer.' });
  }
  await write(response, answer);
  leave(request);
}

const unread: Received = { is: 'push', key: '', happenings: [], excess: 0 };

const nameless =
  'The body is longer than 1 MiB, and the URL means several accounts: name the one that it is for in the URL.';

interface Passing {
  head: PushHead;
  request: Request;
  response: Response;
  bytes: AsyncIterable<Uint8Array>;
}

/** Without a bot it only passes by. */
async function hand(
  { send }: LongDeps,
  { bot, platform }: Served,
  { head, request, response, bytes }: Passing,
) {
  if (!bot) {
    try {
      for await (const chunk of bytes) void chunk;
      return platform.acknowledgement;
    } catch {
      return new NoAnswer('it broke off', { begun: false });
    }
  }
  const body: unknown = request.body;
  const length = body instanceof Uint8Array ? String(body.length) : (request.headers['content-length'] ?? '');
  return (bot.send ?? send)({
    method: head.method,
    url: withQuery(bot.url, head.rawQuery),
    headers: [...toBot(head.headers), ['Content-Length', length]],
    body: null,
    stream: bytes,
    timeoutMs: bot.timeoutMs,
    signal: hangUpOf(response),
  }).catch(asNoAnswer);
}

/**
 * Its bytes, of which the last follow only when the signature is known to be right: without them nobody takes it for
 * whole. So nothing has to be held for a check that the last byte decides.
 */
function createChecked(head: PushHead & { body: Uint8Array }, request: Request, following: Following | null) {
  let refusal: Refusal | null = null;
  async function* pass(): AsyncGenerator<Uint8Array> {
    let last: Uint8Array | null = null;
    // To break off must not end the connection: somebody is to be told why.
    const chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array> =
      head.body.length > 0 ? [head.body] : request.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      following?.add(chunk);
      if (last) yield last;
      last = chunk;
    }
    refusal = following?.end() ?? null;
    if (refusal) throw new Error('the signature is wrong');
    if (last) yield last;
  }
  return { bytes: pass(), refusal: (): Refusal | null => refusal };
}
