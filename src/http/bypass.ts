import type { Request, Response } from 'express';
import type { Forward } from '../config/index.ts';
import { toBot, withQuery } from '../core/bot.ts';
import type { Log } from '../core/ports.ts';
import { behindOf, fillAppId } from '../core/roster.ts';
import { NoAnswer, type OutboundRequest, type Send } from '../core/wire.ts';
import { hangUpOf, pushOf, refuse, write } from './respond.ts';

type BotForward = Pick<Forward, 'channel' | 'account' | 'botUrl'>;

export interface BypassDeps {
  forwards: readonly BotForward[];
  send: Send;
  log: Log;
  timeoutMs: number;
}

/** The panic switch: every request goes to the bot and its answer back, nothing checked, queued or typed. */
export async function bypass(deps: BypassDeps, request: Request, response: Response): Promise<void> {
  const forward = forwardOf(deps.forwards, request);
  if (!forward) return refuse(response, 404, `No bot is configured for ${request.path}.`);
  const push = pushOf(request);
  const plain: OutboundRequest = {
    method: push.method,
    url: withQuery(forward.botUrl, push.rawQuery),
    headers: toBot(push.headers),
    body: push.body.length === 0 ? null : push.body,
    timeoutMs: deps.timeoutMs,
    signal: hangUpOf(response),
  };
  try {
    await write(response, await deps.send(plain));
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    deps.log.warn({ bot: forward.account, reason: error.message }, 'The bot did not answer.');
    refuse(response, 502, 'The bot did not answer.');
  }
}

type WithBot = BotForward & { botUrl: string };

function forwardOf(forwards: readonly BotForward[], request: Request): WithBot | undefined {
  const { channel, account } = request.params;
  const here = forwards.filter(
    (forward): forward is WithBot => forward.channel === channel && forward.botUrl !== null,
  );
  const behind = account === undefined ? null : behindOf(String(account));
  if (behind !== null && behind.appId !== null) {
    const template = here.find((forward) => forward.account === `${behind.component}.*`);
    return template && { ...template, botUrl: fillAppId(template.botUrl, behind.appId) };
  }
  const named = here.find((forward) => forward.account === (account ?? 'default'));
  return named ?? (account === undefined && here.length === 1 ? here[0] : undefined);
}
