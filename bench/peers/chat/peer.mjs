/**
 * The Chat SDK with its WhatsApp adapter, which speaks Meta's API: a push of NXCloud becomes Meta's, signed, and the
 * adapter's API base is a server here that turns Meta's calls into NXCloud's. `startTyping()` is called once before the
 * answer, as its docs have it; its state is in Redis, and messages of one user are handled side by side.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRedisState } from '@chat-adapter/state-redis';
import { createWhatsAppAdapter } from '@chat-adapter/whatsapp';
import { Chat } from 'chat';

const [appSecret, phoneNumberId] = ['unused', '1'];
const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

/** @param {import('../bot.mjs').Platform} platform */
export async function create({ think, show, send, redisUrl }) {
  const meta = createServer((request, response) => void answerAsMeta({ show, send }, request, response));
  meta.listen(0, '127.0.0.1');
  await once(meta, 'listening');
  const chat = new Chat({
    userName: 'bot',
    concurrency: 'concurrent',
    logger: quiet,
    state: createRedisState({ url: redisUrl, keyPrefix: 'bench-peer', logger: quiet }),
    adapters: {
      whatsapp: createWhatsAppAdapter({
        accessToken: 'unused',
        appSecret,
        phoneNumberId,
        verifyToken: 'unused',
        apiUrl: `http://127.0.0.1:${meta.address().port}`,
        logger: quiet,
      }),
    },
  });
  chat.onDirectMessage(async (thread, message) => {
    await thread.startTyping();
    await thread.post(await think({ channel: 'nxcloud', text: message.text }));
  });
  return async (message) => {
    const body = JSON.stringify(pushOf(message));
    const signature = createHmac('sha256', appSecret).update(body).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` };
    const taken = await chat.webhooks.whatsapp(
      new Request('http://bot/webhook', { method: 'POST', headers, body }),
    );
    if (!taken.ok) throw new Error(`The adapter refused the push with ${taken.status}.`);
  };
}

async function answerAsMeta({ show, send }, request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { status, message_id: id, to: user, text } = JSON.parse(body);
  const message = { channel: 'nxcloud', id, user };
  const taken = { success: true, messages: [{ id: `wamid.${Date.now()}` }], contacts: [{ wa_id: user }] };
  await (status === 'read' ? show(message) : send(message, text.body)).then(
    () => response.end(JSON.stringify(taken)),
    (error) => response.writeHead(400).end(JSON.stringify({ error: { message: error.message } })),
  );
}

/** https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples */
function pushOf({ user, id, text }) {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: phoneNumberId, phone_number_id: phoneNumberId },
    contacts: [{ wa_id: user, profile: { name: 'user' } }],
    messages: [{ from: user, id, timestamp, type: 'text', text: { body: text } }],
  };
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: '1', changes: [{ field: 'messages', value }] }],
  };
}
