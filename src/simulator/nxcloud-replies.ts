/** The answers of NXCloud's API, as the pages print them. All HTTP 200. */
import type { Verdict } from './api-server.ts';

const MESSAGES: Readonly<Record<number, string>> = {
  [-1]: 'failure',
  1001: 'Missing common header parameter',
  1002: 'Parameter error',
  1003: 'Invalid signature',
  1004: 'Timestamp expired',
  1005: 'Insufficient permission',
  9002: 'Invalid business phone number',
  9003: 'The app does not exist or is disabled',
  9006: 'The number is not bound to the app',
  10003: 'This WhatsApp number is not bound to the app',
};

export function accepted(data: object | null, after?: () => void): Verdict {
  const body = JSON.stringify({ code: 0, data, message: 'success' });
  return { code: 0, body, ...(after === undefined ? {} : { after }) };
}

export function refused(code: number, message = MESSAGES[code] ?? 'simulated refusal'): Verdict {
  return { code, body: JSON.stringify({ code, data: null, message }) };
}

interface MetaError {
  code: number;
  details: string;
  traceId: string;
}

/** Typing hands Meta's error on inside code 0, sending inside code 9099. The verdict's code is Meta's. */
export function metaRefused({ code, details, traceId }: MetaError, wrapper: 0 | 9099): Verdict {
  const error = {
    code,
    message: `(#${String(code)}) ${code === 100 ? 'Invalid parameter' : 'simulated error'}`,
    type: 'OAuthException',
    fbtrace_id: traceId,
    error_data: { messaging_product: 'whatsapp', details },
  };
  const message = wrapper === 0 ? 'success' : 'WhatsApp error';
  const text = JSON.stringify({ code: wrapper, data: { error }, message });
  // The typing page prints the inner code as a float.
  const body = wrapper === 0 ? text.replace(`"code":${String(code)},`, `"code":${String(code)}.0,`) : text;
  return { code, body };
}

export const UNKNOWN_ID = 'Please check the message ID you have provided.';

export function outgoingId(id: string): string {
  const call = 'Message supplied to mark message as read API with message ID';
  return `${call}: ${id} is outgoing. Please use an incoming message ID.`;
}
