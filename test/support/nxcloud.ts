/** NXCloud by hand: its adapter between scripted answers, and its webhook's bodies. */
import { expect } from 'vitest';
import type { Answer, HeaderLines, OutboundRequest, RawPush } from '../../src/core/wire.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { createNxcloud } from '../../src/nxcloud/index.ts';
import { nxcloudAccount } from './accounts.ts';
import { handClock } from './clock.ts';
import { recordLog } from './log.ts';

export const start = 1_655_710_885_431;

export const wamid = 'wamid.HBgNODYxMzMyMDIzNzQ0NhUCABEYEjkzRjVGODY0OTJCQzM5QzQ1MgA=';

/** One step of a scripted platform: an answer, an error to throw, or either after so many ms of the fake clock. */
export type Step = Answer | Error | { takes: number; gives: Answer | Error };

/** An NXCloud that answers by a script, and what it was asked and what was logged. */
export function createScene(script: Step[] = [], overrides: Partial<NxcloudAccount> = {}) {
  const requests: OutboundRequest[] = [];
  const log = recordLog();
  const clock = handClock(start);
  const typing = (request: OutboundRequest): Promise<Answer> => {
    requests.push(request);
    const step = script.shift();
    if (step === undefined) return Promise.reject(new Error('called more often than the script foresees'));
    const result = 'takes' in step ? step.gives : step;
    clock.pass('takes' in step ? step.takes : 10);
    return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
  };
  const platform = createNxcloud({ ...nxcloudAccount, ...overrides }, { typing, clock, log });
  return { platform, requests, lines: log.lines };
}

export function answer(body: unknown, status = 200, headers: HeaderLines = []): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers, body: new TextEncoder().encode(text) };
}

export function pushOf(body: unknown, headers: HeaderLines = []): RawPush {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method: 'POST', rawQuery: '', headers, body: new TextEncoder().encode(text) };
}

/** What a push says to an account; fails when it is not taken. */
export async function happeningsOf(body: unknown, overrides: Partial<NxcloudAccount> = {}) {
  const received = await createScene([], overrides).platform.receive(pushOf(body));
  expect(received).toMatchObject({ is: 'push' });
  return received.is === 'push' ? received.happenings : [];
}

/** The current envelope of NXCloud's webhook around what a test is about. */
export function envelope(rest: object): object {
  return {
    messaging_product: 'whatsapp',
    app_id: '1533',
    business_phone: '8615800001795',
    merchant_phone: '8615800001795',
    channel: 2,
    wabaId: '1020304050',
    metadata: { display_phone_number: '8615800001795', phone_number_id: '296085720248808' },
    ...rest,
  };
}

export function textMessage(rest: object = {}): object {
  return {
    from: '8613320237446',
    id: wamid,
    timestamp: '1735470750',
    type: 'text',
    text: { body: 'Hello' },
    cost: { currency: 'USD', price: 0, foreign_price: 0, cdr_type: 1, message_id: wamid, direction: 2 },
    ...rest,
  };
}
