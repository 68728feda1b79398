import type { Event } from '../core/event.ts';
import { botRequest } from '../core/forward.ts';
import type { Platform } from '../core/platform.ts';
import { NoAnswer, type Answer, type Send } from '../core/wire.ts';
import { hangUpOf, write } from './respond.ts';
import { warn, type Task, type WebDeps } from './task.ts';

export interface PassDeps extends Pick<WebDeps, 'intake' | 'clock' | 'log'> {
  send: Send;
}

/**
 * Each delivery, repeats included, goes to the bot at once and its answer back byte for byte; it is dropped when the
 * platform hangs up. Only the typing goes through Redis, and nothing here waits for it.
 */
export async function passOn(deps: PassDeps, task: Task): Promise<void> {
  const { served, bot, received, push, response } = task;
  deps.intake
    .tell(served.platform, received.happenings, 'passed')
    .catch((error: unknown) => warn(deps.log, error));
  const hangUp = hangUpOf(response);
  const call = { botUrl: bot.url, push, key: received.key, attempt: 1, timeoutMs: bot.timeoutMs };
  const result = await deps.send({ ...botRequest(call), signal: hangUp }).catch((error: unknown) => {
    if (error instanceof NoAnswer) return error;
    throw error;
  });
  if (result instanceof NoAnswer && !hangUp.aborted) {
    deps.log.warn({ push: received.key, reason: result.message }, 'The bot did not answer a delivery.');
  }
  const answer = result instanceof NoAnswer ? badGateway : result;
  const meaning = await meaningOf(served.platform, result);
  // The end is told before the answer leaves: no show may be decided for a phone that already has its message.
  const told = tellEnd(deps, task, meaning);
  const written = await write(response, answer);
  await told;
  if (!written && meaning === 'message') await tellEnd(deps, task, 'undelivered');
}

const badGateway: Answer = { status: 502, headers: [], body: new Uint8Array() };

type Meaning = 'message' | 'acknowledgement' | 'missed';

async function meaningOf(platform: Platform, result: Answer | NoAnswer): Promise<Meaning> {
  if (result instanceof NoAnswer || result.status < 200 || result.status >= 300) return 'missed';
  return (await platform.readAnswer(result)).is;
}

async function tellEnd(
  deps: PassDeps,
  { served, received }: Task,
  meaning: Meaning | 'undelivered',
): Promise<void> {
  const at = deps.clock.now();
  const turns = received.happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [each] : [],
  );
  const told = turns.map(({ user, key }) =>
    deps.intake.tellEvent(served.platform, user, endOf(meaning, key, at)),
  );
  await Promise.all(told).catch((error: unknown) => warn(deps.log, error));
}

function endOf(meaning: Meaning | 'undelivered', turn: string, at: number): Event {
  switch (meaning) {
    case 'message':
      return { is: 'ended', turn, by: 'passive-reply', message: true, at };
    case 'acknowledgement':
      return { is: 'acknowledged', turn, at };
    case 'missed':
      return { is: 'missed', turn, at };
    case 'undelivered':
      return { is: 'undelivered', at };
  }
}
