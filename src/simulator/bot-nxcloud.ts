/** The bot's NXCloud side: reads the flat envelope, acknowledges with `{}`, sends by mt. */
import { z } from 'zod';
import type { BotMessage, BotPush } from './bot-parts.ts';
import { exchange } from './deliver.ts';
import { nxcloudSign } from './nxcloud-authenticate.ts';
import { readObject, type Request } from './server.ts';

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
      id: z.string().default(''),
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
    const send: BotMessage['send'] = (text) => call(account, mt(to, text), context);
    const type: BotMessage['type'] = () => call(account, typing(message.id), context);
    const text = message.text?.body ?? `[${message.type}]`;
    return { user, text, inline: null, transfer: null, send, type };
  });
  return { acknowledgement: { status: 200, body: '{}' }, messages };
}

interface Call {
  path: string;
  action: 'mt' | 'read';
  content: object;
}

function mt(to: { to: string } | { recipient: string }, text: string): Call {
  const content = {
    recipient_type: 'individual',
    ...to,
    type: 'text',
    text: { body: text, preview_url: false },
  };
  return { path: '/api/wa/mt', action: 'mt', content };
}

function typing(id: string): Call {
  const content = { status: 'read', message_id: id, typing_indicator: { type: 'text' } };
  return { path: '/api/wa/typingIndicator', action: 'read', content };
}

async function call(
  { accessKey, accessSecret, appKey, businessPhone, apiBase }: NxcloudBotAccount,
  { path, action, content }: Call,
  { closing, now }: { closing: AbortSignal; now: () => number },
): Promise<number> {
  const account = { appkey: appKey, business_phone: businessPhone, messaging_product: 'whatsapp' };
  const body = JSON.stringify({ ...account, ...content });
  const unsigned = { accessKey, action, bizType: '2', ts: String(now()) };
  const sign = nxcloudSign({ ...unsigned, body }, accessSecret);
  const headers = { 'content-type': 'application/json', ...unsigned, sign };
  const post = { method: 'POST', url: `${apiBase}${path}`, headers, body } as const;
  const answer = await exchange({ ...post, timeoutMs: SEND_TIMEOUT, signal: closing });
  return Number(readObject(answer.body.toString())?.['code']);
}
