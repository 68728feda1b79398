/** The bot's NXCloud side: reads the flat envelope, acknowledges with `{}`, sends by mt. */
import { z } from 'zod';
import type { BotMessage, BotPush } from './bot-message.ts';
import { exchange } from './deliver.ts';
import { readObject } from './json.ts';
import { nxcloudSign } from './nxcloud-sign.ts';
import type { Request } from './server.ts';

export interface NxcloudBotAccount {
  accessKey: string;
  accessSecret: string;
  appKey: string;
  businessPhone: string;
  apiBase: string;
}

const SEND_TIMEOUT = 10_000;

const MESSAGES = z.object({
  messages: z.array(
    z.object({
      from: z.string().optional(),
      from_user_id: z.string().optional(),
      type: z.string(),
      text: z.object({ body: z.string() }).optional(),
    }),
  ),
});

/** A body without messages (statuses, events) is acknowledged. */
export function readNxcloud(
  account: NxcloudBotAccount,
  request: Request,
  context: { closing: AbortSignal; now: () => number },
): BotPush {
  const parsed = MESSAGES.safeParse(readObject(request.body.toString()));
  const messages = (parsed.data?.messages ?? []).map((message): BotMessage => {
    const user = message.from ?? message.from_user_id ?? '';
    const to = message.from === undefined ? { recipient: user } : { to: user };
    const send: BotMessage['send'] = (text) => mt(account, { to, text }, context);
    return { user, text: message.text?.body ?? `[${message.type}]`, inline: null, transfer: null, send };
  });
  return { acknowledgement: { status: 200, body: '{}' }, messages };
}

async function mt(
  { accessKey, accessSecret, appKey, businessPhone, apiBase }: NxcloudBotAccount,
  { to, text }: { to: { to: string } | { recipient: string }; text: string },
  { closing, now }: { closing: AbortSignal; now: () => number },
): Promise<number> {
  const body = JSON.stringify({
    appkey: appKey,
    business_phone: businessPhone,
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    ...to,
    type: 'text',
    text: { body: text, preview_url: false },
  });
  const unsigned = { accessKey, action: 'mt', bizType: '2', ts: String(now()) };
  const sign = nxcloudSign({ ...unsigned, body }, accessSecret);
  const headers = { 'content-type': 'application/json', ...unsigned, sign };
  const post = { method: 'POST', url: `${apiBase}/api/wa/mt`, headers, body } as const;
  const answer = await exchange({ ...post, timeoutMs: SEND_TIMEOUT, signal: closing });
  return Number(readObject(answer.body.toString())?.['code']);
}
