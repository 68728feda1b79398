/** Requests as NXCloud makes them on a webhook, made by ourselves to see who answers. */
import type { Knock } from '../core/platform.ts';
import type { NxcloudAccount } from './account.ts';
import { sign } from './signature.ts';

/** The form of a real id, of a message that nobody has written: "keeptyping doctor" in base64. */
export const noMessage = 'wamid.a2VlcHR5cGluZyBkb2N0b3I=';

/** Numbers of country code 1 never begin with 0: nobody has it. */
export const noPhone = '10000000000';

export interface Sealing {
  account: Pick<NxcloudAccount, 'accessKey' | 'accessSecrets' | 'businessPhone'>;
  /** ms since 1970. */
  at: number;
  random: (bytes: number) => Uint8Array;
}

/** An envelope that holds neither a message nor a status. */
export function knock(sealing: Sealing): Knock {
  return post(sealing, { messages: [], statuses: [] });
}

/** A text, with an id of its own: the same one again would count as a repeat. */
export function message(sealing: Sealing): Knock {
  const id = `wamid.${Buffer.from(sealing.random(18)).toString('base64')}`;
  const timestamp = String(Math.floor(sealing.at / 1000));
  return post(sealing, {
    contacts: [{ wa_id: noPhone, profile: { name: 'keeptyping doctor' } }],
    messages: [{ from: noPhone, id, timestamp, type: 'text', text: { body: 'keeptyping doctor' } }],
  });
}

/** https://github.com/nxtele/http-api-document/wiki/whatsapp-callback-verify */
function post({ account, at }: Sealing, content: object): Knock {
  const { accessKey, accessSecrets, businessPhone: phone } = account;
  const business = phone === null ? {} : { business_phone: phone, merchant_phone: phone };
  const body = JSON.stringify({ messaging_product: 'whatsapp', ...business, ...content });
  const common = { accessKey, action: 'mo', bizType: '2', ts: String(Math.trunc(at)) };
  const secret = { accessSecret: accessSecrets[0] ?? '', algorithm: 'md5' } as const;
  const headers = [
    ['Content-Type', 'application/json'],
    ['accesskey', accessKey],
    ['action', common.action],
    ['biztype', common.bizType],
    ['ts', common.ts],
    ['algorithm', secret.algorithm],
    ['sign', sign(common, body, secret)],
  ] as const;
  return { method: 'POST', rawQuery: '', headers, body, expects: null };
}
