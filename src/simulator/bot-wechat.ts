/** The bot's WeChat side, as SDKs do it: checks and opens the push, answers in its form, sends by custom/send. */
import type { BotMessage, BotPush } from './bot-parts.ts';
import { exchange } from './deliver.ts';
import { asText, type JsonObject, readObject, type Reply, type Request } from './server.ts';
import {
  decrypt,
  encrypt,
  type Fields,
  type Format,
  parseBody,
  renderBody,
  sha1Signature,
} from './wechat-sealed.ts';

export interface WechatBotAccount {
  appId: string;
  appSecret: string;
  token: string;
  encodingAesKey: string;
  apiBase: string;
}

const SEND_TIMEOUT = 10_000;

/** null when the request is none of WeChat's. */
export function readWechat(
  account: WechatBotAccount,
  request: Request,
  closing: AbortSignal,
): BotPush | null {
  const { query } = request;
  const [signature, timestamp, nonce] = [query.get('signature'), query.get('timestamp'), query.get('nonce')];
  if (signature === null || timestamp === null || nonce === null) return null;
  if (signature !== sha1Signature(account.token, timestamp, nonce)) {
    return { acknowledgement: { status: 401, type: 'text/plain', body: 'wrong signature' }, messages: [] };
  }
  const text = request.body.toString();
  const format: Format = text.trimStart().startsWith('{') ? 'json' : 'xml';
  const outer = parseBody(text, format);
  const encrypted = query.get('encrypt_type') === 'aes' ? asText(outer?.['Encrypt']) : null;
  const opened = encrypted === null ? null : decrypt(account, encrypted);
  const fields = opened === null ? outer : parseBody(opened, format);
  const acknowledgement = { status: 200, type: 'text/plain', body: query.get('echostr') ?? 'success' };
  const message = fields === null ? null : readMessage(fields);
  if (message === null) return { acknowledgement, messages: [] };
  const seal = (answer: Fields): Reply =>
    sealed(account, { answer, format, nonce, encrypted: opened !== null });
  const head = {
    ToUserName: message.user,
    FromUserName: message.self,
    CreateTime: Number(timestamp),
  };
  const inline = (answer: string): Reply => seal({ ...head, MsgType: 'text', Content: answer });
  const transfer = (): Reply => seal({ ...head, MsgType: 'transfer_customer_service' });
  const { user, text: asked } = message;
  const send: BotMessage['send'] = (answer) =>
    call(
      account,
      { command: 'send', body: { touser: user, msgtype: 'text', text: { content: answer } } },
      closing,
    );
  const type: BotMessage['type'] = () =>
    call(account, { command: 'typing', body: { touser: user, command: 'Typing' } }, closing);
  return { acknowledgement, messages: [{ user, text: asked, inline, transfer, send, type }] };
}

/** null for what the bot does not answer. */
function readMessage(fields: JsonObject): { user: string; self: string; text: string } | null {
  const [user, self, kind] = [fields['FromUserName'], fields['ToUserName'], fields['MsgType']].map(asText);
  if (!user || !self || !kind || kind === 'event') return null;
  return { user, self, text: asText(fields['Content']) ?? `[${kind}]` };
}

interface Sealing {
  answer: Fields;
  format: Format;
  nonce: string;
  encrypted: boolean;
}

function sealed(account: WechatBotAccount, { answer, format, nonce, encrypted }: Sealing): Reply {
  const type = format === 'xml' ? 'application/xml' : 'application/json';
  const plain = renderBody(answer, format);
  if (!encrypted) return { status: 200, type, body: plain };
  const Encrypt = encrypt(account, plain, '0123456789abcdef');
  const TimeStamp = Number(answer['CreateTime']);
  const MsgSignature = sha1Signature(account.token, String(TimeStamp), nonce, Encrypt);
  return { status: 200, type, body: renderBody({ Encrypt, MsgSignature, TimeStamp, Nonce: nonce }, format) };
}

async function call(
  { appId, appSecret, apiBase }: WechatBotAccount,
  { command, body }: { command: 'send' | 'typing'; body: object },
  closing: AbortSignal,
): Promise<number> {
  const credential = { grant_type: 'client_credential', appid: appId, secret: appSecret };
  const granted = await post(`${apiBase}/cgi-bin/stable_token`, credential, closing);
  const query = new URLSearchParams({ access_token: asText(granted?.['access_token']) ?? '' });
  const answer = await post(
    `${apiBase}/cgi-bin/message/custom/${command}?${query.toString()}`,
    body,
    closing,
  );
  return Number(answer?.['errcode']);
}

async function post(url: string, content: object, signal: AbortSignal): Promise<JsonObject | null> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(content);
  const answer = await exchange({ method: 'POST', url, headers, body, timeoutMs: SEND_TIMEOUT, signal });
  return readObject(answer.body.toString());
}
