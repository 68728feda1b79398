/** One request to a bot or a webhook, as a value. */
import { withQuery } from '../core/bot.ts';
import type { Knock } from '../core/platform.ts';
import { type Answer, asNoAnswer, type NoAnswer, type Send } from '../core/wire.ts';

export interface CallDeps {
  send: Send;
  /** ms. */
  now: () => number;
}

export interface Called {
  result: Answer | NoAnswer;
  tookMs: number;
}

export async function call(
  { send, now }: CallDeps,
  knock: Knock,
  to: { url: string; timeoutMs: number },
): Promise<Called> {
  const began = now();
  const { method, rawQuery, headers, body } = knock;
  const url = withQuery(to.url, rawQuery);
  const result = await send({ method, url, headers, body, timeoutMs: to.timeoutMs }).catch(asNoAnswer);
  return { result, tookMs: now() - began };
}

export function isSuccess(answer: Answer): boolean {
  return answer.status >= 200 && answer.status <= 299;
}

/** Whether what was to come back came back, white space at its ends aside. */
export function isEcho(answer: Answer, expects: string): boolean {
  return new TextDecoder().decode(answer.body).trim() === expects;
}
