import { onTestFinished } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts';
import { nxcloudSign } from '../../src/simulator/nxcloud-authenticate.ts';
import { type Reply, type Request, startServer } from '../../src/simulator/server.ts';

export async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const started = await startSimulator(options);
  onTestFinished(() => started.close());
  return started;
}

/** A webhook that remembers what it was given. */
export async function webhook(handler: (request: Request, n: number) => Promise<Reply | 'hang' | 'reset'>) {
  const requests: Request[] = [];
  const server = await startServer((request) => handler(request, requests.push(request)));
  onTestFinished(() => server.close());
  return { url: server.url, requests };
}

export const SUCCESS: Reply = { status: 200, type: 'text/plain', body: 'success' };

export async function post(url: string, body: string | object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, json: (): unknown => JSON.parse(text) };
}

/** WeChat calls by an account that has its token. */
export async function wechatCaller({ wechat }: Simulator) {
  const { appId: appid, appSecret: secret, kind } = wechat.options;
  const granted = await post(`${wechat.apiBase}/cgi-bin/stable_token`, {
    grant_type: 'client_credential',
    appid,
    secret,
  });
  const token = /"access_token":"(\w+)"/.exec(granted.text)?.[1] ?? '';
  const call = async (path: string, body: string | object): Promise<number> => {
    const answer = await post(`${wechat.apiBase}${path}?access_token=${token}`, body);
    return Number(/"errcode":(-?\d+)/.exec(answer.text)?.[1]);
  };
  const path =
    kind === 'official' ? '/cgi-bin/message/custom/typing' : '/cgi-bin/message/custom/business/typing';
  return {
    token,
    call,
    typing: (touser: string, command = 'Typing') => call(path, { touser, command }),
    send: (touser: string, content: string) =>
      call('/cgi-bin/message/custom/send', { touser, msgtype: 'text', text: { content } }),
  };
}

/** NXCloud calls, signed as the convention says. */
export function nxcloudCaller({ nxcloud }: Simulator, now: () => number = Date.now) {
  const { accessKey, accessSecret, appKey, businessPhone } = nxcloud.options;
  const call = (path: string, body: string | object, changes: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const action = path.endsWith('/mt') ? 'mt' : 'read';
    const unsigned = { accessKey, action, bizType: '2', ts: String(now()), ...changes };
    const sign = nxcloudSign({ ...unsigned, body: text }, accessSecret);
    return post(`${nxcloud.apiBase}${path}`, text, { ...unsigned, sign, ...changes });
  };
  const typingBody = (message_id: string) => ({
    appkey: appKey,
    messaging_product: 'whatsapp',
    business_phone: businessPhone,
    status: 'read',
    message_id,
    typing_indicator: { type: 'text' },
  });
  const message = { appkey: appKey, business_phone: businessPhone, messaging_product: 'whatsapp' };
  return {
    call,
    typingBody,
    typing: (id: string) => call('/api/wa/typingIndicator', typingBody(id)),
    send: (to: string, body: string, extra: object = {}) =>
      call('/api/wa/mt', { ...message, to, type: 'text', text: { body }, ...extra }),
  };
}

/** What happened on a phone, a word each. */
export function story(marks: readonly { what: string; detail: string }[]): string[] {
  return marks.filter(({ what }) => what !== 'call').map(({ what, detail }) => `${what} ${detail}`.trim());
}
