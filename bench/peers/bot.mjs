/**
 * The bot that every peer of `peers.ts` stands in. It takes a push of WeChat or NXCloud, acknowledges it at once, has
 * the peer handle the message, and makes the platform calls that the peer asks for. With PEER=none it is the bot behind
 * keeptyping: it answers each request when it has the answer, and types nothing. It checks no signature: that is not
 * what is measured.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const { PEER = '', PORT = '', MODEL_URL = '', REDIS_URL = '' } = process.env;

/**
 * @typedef {{ channel: 'wechat' | 'nxcloud', user: string, id: string, text: string }} Message
 * @typedef {object} Platform What an adapter is given.
 * @property {(message: Message) => Promise<string>} think The model's answer, after its time. @throws Error when it fails
 * @property {(message: Message) => Promise<void>} show Typing, once. @throws Error when the platform refuses
 * @property {(message: Message, text: string) => Promise<void>} send The answer. @throws Error when the platform refuses
 * @property {{ wechat: number, nxcloud: number }} lifetime How long an indicator shows (ms): for what can be told.
 * @property {string} redisUrl
 */

async function post(url, body, headers = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

async function think({ channel, text }) {
  const { status, body } = await post(MODEL_URL, { channel, text });
  if (status !== 200) throw new Error(`The model answered ${status}.`);
  return body.answer;
}

function field(xml, name) {
  return new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`).exec(xml)?.[1];
}

function createWechat({ WECHAT_API_BASE: base, WECHAT_APP_ID: appid, WECHAT_APP_SECRET: secret }) {
  let token = null;
  const grant = async () => {
    const asked = { grant_type: 'client_credential', appid, secret };
    return (await post(`${base}/cgi-bin/stable_token`, asked)).body.access_token;
  };
  const call = async (command, body, welcome = [0]) => {
    token ??= grant();
    const url = `${base}/cgi-bin/message/custom/${command}?access_token=${await token}`;
    const { errcode } = (await post(url, body)).body;
    if (!welcome.includes(errcode)) throw new Error(`WeChat refused ${command} with ${errcode}.`);
  };
  return {
    acknowledgement: 'success',
    read: (xml) => [
      {
        channel: 'wechat',
        user: field(xml, 'FromUserName'),
        id: field(xml, 'MsgId'),
        text: field(xml, 'Content'),
      },
    ],
    // 45081 says that the indicator is on already: whoever repeats a call takes that for a yes.
    show: ({ user }) => call('typing', { touser: user, command: 'Typing' }, [0, 45081]),
    send: ({ user }, content) => call('send', { touser: user, msgtype: 'text', text: { content } }),
    answer: async ({ user }, text) =>
      `<xml><ToUserName><![CDATA[${user}]]></ToUserName><FromUserName><![CDATA[bot]]></FromUserName><CreateTime>${Math.floor(Date.now() / 1000)}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[${text}]]></Content></xml>`,
  };
}

function createNxcloud({
  NXCLOUD_API_BASE: base,
  NXCLOUD_ACCESS_KEY: accessKey,
  NXCLOUD_ACCESS_SECRET: accessSecret,
  NXCLOUD_APP_KEY: appkey,
  NXCLOUD_BUSINESS_PHONE: business_phone,
}) {
  const call = async (path, action, content) => {
    const body = JSON.stringify({ appkey, business_phone, messaging_product: 'whatsapp', ...content });
    const ts = String(Date.now());
    const raw = `accessKey=${accessKey}&action=${action}&bizType=2&ts=${ts}&body=${body}&accessSecret=${accessSecret}`;
    const sign = createHash('md5').update(raw).digest('hex');
    const answer = (await post(`${base}/api/wa/${path}`, body, { accessKey, action, bizType: '2', ts, sign }))
      .body;
    if (answer.code !== 0 || answer.data?.error)
      throw new Error(`NXCloud refused ${path} with ${answer.code}.`);
  };
  const send = ({ user }, text) =>
    call('mt', 'mt', { recipient_type: 'individual', to: user, type: 'text', text: { body: text } });
  return {
    acknowledgement: '{}',
    read: (json) =>
      (JSON.parse(json).messages ?? []).map(({ from, id, text }) => ({
        channel: 'nxcloud',
        user: from,
        id,
        text: text.body,
      })),
    show: ({ id }) =>
      call('typingIndicator', 'read', { status: 'read', message_id: id, typing_indicator: { type: 'text' } }),
    send,
    answer: async (message, text) => {
      await send(message, text);
      return '{}';
    },
  };
}

const channels = { wechat: createWechat(process.env), nxcloud: createNxcloud(process.env) };

async function createPeer() {
  const { create } = await import(`./${PEER}/peer.mjs`);
  return create({
    think,
    show: (message) => channels[message.channel].show(message),
    send: (message, text) => channels[message.channel].send(message, text),
    lifetime: { wechat: Number(process.env.WECHAT_LIFETIME), nxcloud: Number(process.env.NXCLOUD_LIFETIME) },
    redisUrl: REDIS_URL,
  });
}

const peer = PEER === 'none' ? null : await createPeer();

/** What is under way or has been answered, by `Idempotency-Key`: the same push may come once more. */
const known = new Map();

function answerOnce(channel, message, key) {
  const work = known.get(key) ?? think(message).then((text) => channel.answer(message, text));
  known.set(key, work);
  work.catch(() => known.delete(key));
  return work;
}

async function take(channel, body, key) {
  const messages = channel.read(body);
  if (messages.length === 0) return channel.acknowledgement;
  if (peer === null) return answerOnce(channel, messages[0], key);
  // As in most bots: who gets no answer of the model gets none.
  for (const message of messages) void peer(message).catch(() => {});
  return channel.acknowledgement;
}

async function serve(request, response) {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  const channel = channels[request.url.startsWith('/webhooks/wechat') ? 'wechat' : 'nxcloud'];
  await take(channel, body, request.headers['idempotency-key']).then(
    (answer) => response.writeHead(200, { 'content-type': 'text/plain' }).end(answer),
    () => response.writeHead(500).end(),
  );
}

const server = createServer((request, response) => void serve(request, response));
server.listen(Number(PORT), '127.0.0.1', () => process.stdout.write('listening\n'));
