/**
 * WeChat's API and the bot of `turns.ts`, in a process of its own and as cheap as can be: what it takes of the
 * processor is not counted, but on two of them it is in everybody's way. It judges nothing; it notes who called when.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRandom, now } from './measure.ts';
import { botTime } from './mix.ts';
import type { Noted, Order, World } from './turns-site.ts';

let thinkTime = (): number => 200;
let isSilent = false;
let apiTime: (() => number) | null = null;
let noted: Noted = empty();

function empty(): Noted {
  return { typing: [], sent: [], asked: [] };
}

const json = { 'Content-Type': 'application/json', 'Content-Length': 27 };
const done = '{"errcode":0,"errmsg":"ok"}';
const indicated = '{"code":0,"data":{"success":true},"message":"success"}';
const tooEarly = '{"errcode":45081,"errmsg":"already in the typing state"}';

/** WeChat's: an indicator stays so long, or until a message or a cancel (ms); nobody may show one that runs. */
const lifetime = 15_000;
const litUntil = new Map<string, number>();

/** Half of the way is there, half is back. */
function underWay(act: (at: number, took: number) => string, at: number, response: ServerResponse): void {
  if (apiTime === null) {
    response.writeHead(200, json).end(act(at, 0));
    return;
  }
  const took = apiTime();
  setTimeout(() => {
    const answer = act(now(), took);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': answer.length };
    setTimeout(() => response.writeHead(200, headers).end(answer), took / 2);
  }, took / 2);
}

const random = createRandom();

/** An answer so soon goes to the user by the platform's own connection (HOLD_MS, less the way); a later one is sent. */
const inlineUntil = 4_480;

const grant = '{"access_token":"the-token-of-the-bench","expires_in":7200}';

type Route = (body: string, at: number, response: ServerResponse) => void;

const routes: Readonly<Record<string, Route>> = {
  '/cgi-bin/stable_token': (_, __, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(grant),
  '/cgi-bin/message/custom/typing': (body, at, response) => {
    const { touser: user, command } = JSON.parse(body) as { touser: string; command: string };
    const act = (when: number, took: number): string => {
      const isEarly = apiTime !== null && command === 'Typing' && (litUntil.get(user) ?? 0) > when;
      if (!isEarly && apiTime !== null) litUntil.set(user, command === 'Typing' ? when + lifetime : 0);
      noted.typing.push({ at: when, user, command, took, code: isEarly ? 45081 : 0 });
      return isEarly ? tooEarly : done;
    };
    underWay(act, at, response);
  },
  // NXCloud's names no user: the message id stands for one.
  '/api/wa/typingIndicator': (body, at, response) => {
    const { message_id: user } = JSON.parse(body) as { message_id: string };
    noted.typing.push({ at, user, command: 'Typing', took: 0, code: 0 });
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(indicated);
  },
  '/cgi-bin/message/custom/send': (body, at, response) => {
    const { touser, text } = JSON.parse(body) as { touser: string; text?: { content: string } };
    const act = (when: number, took: number): string => {
      litUntil.delete(touser);
      noted.sent.push({ at: when, user: touser, text: text?.content ?? '', took });
      return done;
    };
    underWay(act, at, response);
  },
  '/bot': (body, at, response) => {
    const user = /<FromUserName><!\[CDATA\[(.*?)\]\]>|"from":"(.*?)"/.exec(body)?.slice(1).join('') ?? '';
    noted.asked.push({ at, user });
    const answerIt = (): void => {
      if (isSilent) return void response.writeHead(200, { 'Content-Length': 7 }).end('success');
      if (now() - at < inlineUntil) litUntil.delete(user);
      const answer = `<xml><ToUserName><![CDATA[${user}]]></ToUserName><FromUserName><![CDATA[gh_bench]]></FromUserName><CreateTime>${Math.floor(Date.now() / 1000)}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[for ${user}]]></Content></xml>`;
      response.writeHead(200, { 'Content-Type': 'text/xml', 'Content-Length': answer.length }).end(answer);
    };
    const after = thinkTime();
    if (after === 0) answerIt();
    else setTimeout(answerIt, after);
  },
};

function take(request: IncomingMessage, response: ServerResponse): void {
  const at = now();
  const { url = '' } = request;
  const mark = url.indexOf('?');
  const route = routes[mark < 0 ? url : url.slice(0, mark)];
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    if (route) route(body, at, response);
    else response.writeHead(404).end();
  });
}

const server = createServer(take);
server.keepAliveTimeout = 60_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  tell({ port: (server.address() as AddressInfo).port });
});

process.on('message', (order: Order) => {
  const { botDelayMs, botMedianMs, botSilent = isSilent, apiMs } = order;
  isSilent = botSilent;
  if (botDelayMs !== undefined) thinkTime = () => botDelayMs;
  if (botMedianMs !== undefined) thinkTime = () => botTime(random, botMedianMs);
  if (apiMs) apiTime = () => apiMs[0] + random() * (apiMs[1] - apiMs[0]);
  if (order.forget) noted = empty();
  tell({ noted });
});
// With the bench, however that ended.
process.on('disconnect', () => process.exit());

function tell(word: World['said']): void {
  process.send?.(word);
}
