/**
 * What somebody writes who wants typing and nothing else: the measure of what keeptyping costs. One typing call per
 * push, no renewal, no late answer, nothing that outlives a crash.
 */
import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import axios from 'axios';
import bodyParser from 'body-parser';
import express from 'express';
import { Redis } from 'ioredis';
import { parseStringPromise } from 'xml2js';

const { WECHAT_TOKEN, WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_API_BASE, WECHAT_BOT_URL, REDIS_URL, PORT } =
  process.env;
const { NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET, NXCLOUD_API_BASE, NXCLOUD_BOT_URL } = process.env;

const redis = new Redis(REDIS_URL);
const http = axios.create({ httpAgent: new Agent({ keepAlive: true }), validateStatus: () => true });

let held = { token: '', until: 0 };

async function accessToken() {
  if (Date.now() < held.until) return held.token;
  const { data } = await http.post(`${WECHAT_API_BASE}/cgi-bin/stable_token`, {
    grant_type: 'client_credential',
    appid: WECHAT_APP_ID,
    secret: WECHAT_APP_SECRET,
  });
  held = { token: data.access_token, until: Date.now() + (data.expires_in - 300) * 1000 };
  return held.token;
}

async function showTyping(user) {
  const url = `${WECHAT_API_BASE}/cgi-bin/message/custom/typing?access_token=${await accessToken()}`;
  await http.post(url, { touser: user, command: 'Typing' });
}

function isSigned({ signature, timestamp, nonce }) {
  const parts = [WECHAT_TOKEN, timestamp, nonce].map(String).sort().join('');
  return createHash('sha1').update(parts).digest('hex') === signature;
}

const app = express();
app.use(bodyParser.raw({ type: () => true, limit: '1mb' }));
app.post('/webhooks/wechat', async (request, response) => {
  if (!isSigned(request.query)) return response.status(401).end();
  const { xml } = await parseStringPromise(request.body.toString('utf8'), { explicitArray: false });
  await redis.set(`seen:${xml.MsgId}`, '1', 'EX', 60);
  await showTyping(xml.FromUserName).catch(() => {});
  const query = request.originalUrl.slice(request.originalUrl.indexOf('?'));
  const answer = await http.post(`${WECHAT_BOT_URL}${query}`, request.body, {
    headers: { 'Content-Type': request.headers['content-type'] },
    responseType: 'arraybuffer',
  });
  response.status(answer.status);
  response.set('Content-Type', answer.headers['content-type']);
  response.send(answer.data);
});
/** NXCloud's `sign`, of what it sends and of what is sent to it. */
function signOf({ action, ts }, body) {
  const head = `accessKey=${NXCLOUD_ACCESS_KEY}&action=${action}&bizType=2&ts=${ts}`;
  return createHash('md5')
    .update(`${head}&body=`)
    .update(body)
    .update(`&accessSecret=${NXCLOUD_ACCESS_SECRET}`)
    .digest('hex');
}

async function showTypingFor(message) {
  const body = JSON.stringify({ messaging_product: 'whatsapp', status: 'read', message_id: message });
  const common = { action: 'read', ts: String(Date.now()) };
  const headers = { ...common, accessKey: NXCLOUD_ACCESS_KEY, bizType: '2', sign: signOf(common, body) };
  await http.post(`${NXCLOUD_API_BASE}/api/wa/typingIndicator`, body, {
    headers: { ...headers, 'Content-Type': 'application/json' },
  });
}

app.post('/webhooks/nxcloud', async (request, response) => {
  if (signOf(request.headers, request.body) !== request.headers.sign) return response.status(401).end();
  const [{ id }] = JSON.parse(request.body).messages;
  await redis.set(`seen:${id}`, request.body, 'PX', 60_000);
  response.json({});
  await showTypingFor(id).catch(() => {});
  await http
    .post(NXCLOUD_BOT_URL, request.body, { headers: { 'Content-Type': 'application/json' } })
    .catch(() => {});
});
app.listen(Number(PORT), '127.0.0.1', () => process.stdout.write('"listening"\n'));
