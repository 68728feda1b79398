/**
 * NXCloud's flat webhook bodies.
 * Source: https://github.com/nxtele/nxcloud-doc-en/wiki/SAAS-WhatsApp-API-webhook
 */
import type { JsonObject } from './server.ts';

export interface NxcloudMessage {
  /** Phone number; with `anonymous` a BSUID. */
  user: string;
  /** @default text */
  type?: string;
  text?: string;
  /** Members of the message beside `text`, such as `{ image: { id: '1' } }`. */
  content?: JsonObject;
  /** Given again, the push is a repeat: the user has not written a second time. @default a new one */
  id?: string;
  /** The user hides the phone number. */
  anonymous?: boolean;
}

export interface NxcloudStatus {
  user: string;
  /** The outgoing message. */
  id: string;
  status: 'sent' | 'delivered' | 'read' | 'failed';
  /** Of `failed`. */
  errors?: readonly { code: number; meta_code: number; title: string }[];
}

export interface Business {
  businessPhone: string;
  /** `old`: the 2023 bodies, which name the business only as `merchant_phone`. */
  shape: 'current' | 'old';
}

/** @param at ms since 1970; the body holds whole seconds as text. */
export function messageEnvelope(
  business: Business,
  message: NxcloudMessage & { id: string },
  at: number,
): JsonObject {
  const { user, type = 'text', text, anonymous = false } = message;
  return {
    ...head(business),
    contacts: [
      anonymous
        ? { user_id: user, profile: { username: 'simulated' } }
        : { wa_id: user, profile: { name: 'Simulated User' } },
    ],
    messages: [
      {
        ...(anonymous ? { from_user_id: user } : { from: user }),
        id: message.id,
        timestamp: seconds(at),
        type,
        ...(text === undefined ? {} : { text: { body: text } }),
        ...message.content,
        cost: {
          currency: 'USD',
          price: 0,
          foreign_price: 0,
          cdr_type: 1,
          message_id: message.id,
          direction: 2,
        },
      },
    ],
  };
}

/** @param at ms since 1970. */
export function statusEnvelope(business: Business, status: NxcloudStatus, at: number): JsonObject {
  const { user, ...known } = status;
  return {
    ...head(business),
    statuses: [
      {
        ...known,
        timestamp: seconds(at),
        recipient_id: user,
        costs: [
          { currency: 'USD', price: 0, foreign_price: 0, cdr_type: 7, message_id: status.id, direction: 1 },
        ],
      },
    ],
  };
}

function head({ businessPhone: phone, shape }: Business): JsonObject {
  if (shape === 'old') return { messaging_product: 'whatsapp', merchant_phone: phone };
  return {
    messaging_product: 'whatsapp',
    app_id: '1533',
    business_phone: phone,
    merchant_phone: phone,
    channel: 2,
    wabaId: '102290129340398',
    metadata: { display_phone_number: phone, phone_number_id: '296085720248808' },
  };
}

function seconds(at: number): string {
  return String(Math.floor(at / 1000));
}
