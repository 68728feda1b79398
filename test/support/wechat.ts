/** WeChat by hand: what its adapter is given, the calls it makes, and pushes as WeChat signs them. */
import type { Clock, SharedCache } from '../../src/core/ports.ts';
import type { Answer, OutboundRequest, RawPush, Send } from '../../src/core/wire.ts';
import { sign } from '../../src/wechat/receive.ts';
import { handClock } from './clock.ts';
import { recordLog } from './log.ts';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A cache of one process; `down` makes every member reject. */
export function fakeCache(clock: Clock): SharedCache & { down: boolean; entries: Map<string, string> } {
  const entries = new Map<string, string>();
  const ends = new Map<string, number>();
  const cache = {
    down: false,
    entries,
    async get(key: string) {
      reach();
      return (ends.get(key) ?? 0) > clock.now() ? (entries.get(key) ?? null) : null;
    },
    async set(key: string, value: string, ttlMs: number) {
      reach();
      entries.set(key, value);
      ends.set(key, clock.now() + ttlMs);
    },
    async drop(key: string, value: string) {
      reach();
      if (entries.get(key) === value) entries.delete(key);
    },
    async lock(key: string, ttlMs: number) {
      reach();
      if ((ends.get(key) ?? 0) > clock.now() && entries.has(key)) return null;
      entries.set(key, 'held');
      ends.set(key, clock.now() + ttlMs);
      return 'held';
    },
    async unlock(key: string) {
      reach();
      entries.delete(key);
    },
  };
  function reach() {
    if (cache.down) throw new Error('the cache is out of reach');
  }
  return cache;
}

export const answerOf = (body: unknown, status = 200): Answer => ({
  status,
  headers: [],
  body: utf8(typeof body === 'string' ? body : JSON.stringify(body)),
});

type Scripted = object | string | Error | ((request: OutboundRequest) => Answer | Promise<Answer>);

/** Answers the calls in turn (objects as JSON, errors thrown), the last one for ever; remembers them all. */
export function scriptedSend(...script: Scripted[]): Send & { requests: OutboundRequest[] } {
  const requests: OutboundRequest[] = [];
  const send = async (request: OutboundRequest): Promise<Answer> => {
    const step = script[Math.min(requests.length, script.length - 1)];
    requests.push(request);
    if (step === undefined) throw new Error(`nobody expected a call to ${new URL(request.url).pathname}`);
    if (step instanceof Error) throw step;
    return typeof step === 'function' ? step(request) : answerOf(step);
  };
  return Object.assign(send, { requests });
}

export const granted = (token: string, seconds = 7200) => ({ access_token: token, expires_in: seconds });

export function adapterDeps(typing: Send, send: Send = scriptedSend(granted('T1'))) {
  const clock = handClock();
  return { typing, send, clock, cache: fakeCache(clock), log: recordLog() };
}

/** A push as WeChat signs it in plain mode. */
export function signedPush(body: string | Uint8Array, more = ''): RawPush {
  const signature = sign(['AAAAA', '1714037059', '486452656']);
  return {
    method: 'POST',
    rawQuery: `signature=${signature}&timestamp=1714037059&nonce=486452656${more}`,
    headers: [],
    body: typeof body === 'string' ? utf8(body) : body,
  };
}

/** A push in XML with these fields, each in CDATA. */
export function xmlOf(fields: Record<string, string>): string {
  const inner = Object.entries(fields).map(([name, value]) => `<${name}><![CDATA[${value}]]></${name}>`);
  return `<xml>${inner.join('')}</xml>`;
}
