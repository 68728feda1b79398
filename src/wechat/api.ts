/** One call to WeChat's API, and its answer as a value. */
import { z } from 'zod';
import { NoAnswer, type OutboundRequest, type Send } from '../core/wire.ts';
import { jsonOf } from './body.ts';

export type Reply =
  /** WeChat's own word; 0 is success. */
  | { is: 'code'; code: number; json: unknown }
  /** An HTTP status other than 2xx without such a word. */
  | { is: 'status'; status: number }
  /** A 2xx that is not WeChat's JSON: a proxy's page, a cut answer. */
  | { is: 'unreadable' }
  | { is: 'lost'; begun: boolean; cause: string };

const word = z.object({ errcode: z.number().int() });

/** POSTs raw UTF-8 JSON. Never throws. */
export function postJson(send: Send, url: string, call: { body: object; timeoutMs: number }): Promise<Reply> {
  return exchange(send, {
    method: 'POST',
    url,
    headers: [['content-type', 'application/json; charset=utf-8']],
    body: JSON.stringify(call.body),
    timeoutMs: call.timeoutMs,
  });
}

/** Makes the request. Never throws. JSON without an errcode counts as code 0 only if `accepts` says so. */
export async function exchange(
  send: Send,
  request: OutboundRequest,
  accepts: (json: unknown) => boolean = () => false,
): Promise<Reply> {
  try {
    const answer = await send(request);
    const json = jsonOf(answer.body);
    const said = word.safeParse(json);
    if (said.success) return { is: 'code', code: said.data.errcode, json };
    if (answer.status < 200 || answer.status > 299) return { is: 'status', status: answer.status };
    return accepts(json) ? { is: 'code', code: 0, json } : { is: 'unreadable' };
  } catch (error) {
    return lost(error);
  }
}

/** The error's own sentence may hold the URL, and the URL holds the token: only its code is passed on. */
function lost(error: unknown): Reply {
  const begun = error instanceof NoAnswer ? error.begun : true;
  const sentence = begun ? 'WeChat gave no complete answer' : 'WeChat could not be reached';
  const code = z.object({ code: z.string().regex(/^[A-Z][A-Z_0-9]+$/) });
  const cause = code.safeParse(error instanceof Error ? error.cause : null);
  return { is: 'lost', begun, cause: cause.success ? `${sentence} (${cause.data.code})` : sentence };
}
