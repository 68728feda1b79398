/**
 * WeChat's API and the bot of `turns.ts`, in a process of its own and as cheap as can be: what it takes of the
 * processor is not counted, but on two of them it is in everybody's way. It judges nothing; it notes who called when.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { now } from './measure.ts';
import type { Noted, Order, World } from './turns-site.ts';

let thinkTime = 200;
let isSilent = false;
let noted: Noted = empty();

function empty(): Noted {
  return { typing: [], sent: [], asked: [] };
}

const json = { 'Content-Type': 'application/json', 'Content-Length': 27 };
const done = '{"errcode":0,"errmsg":"ok"}';
const indicated = '{"code":0,"data":{"success":true},"message":"success"}';

const grant = '{"access_token":"the-token-of-the-bench","expires_in":7200}';

type Route = (body: string, at: number, response: ServerResponse) => void;

const routes: Readonly<Record<string, Route>> = {
  '/cgi-bin/stable_token': (_, __, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(grant),
  '/cgi-bin/message/custom/typing': (body, at, response) => {
    const { touser: user, command } = JSON.parse(body) as { touser: string; command: string };
    noted.typing.push({ at, user, command });
    response.writeHead(200, json).end(done);
  },
  // NXCloud's names no user: the message id stands for one.
  '/api/wa/typingIndicator': (body, at, response) => {
    const { message_id: user } = JSON.parse(body) as { message_id: string };
    noted.typing.push({ at, user, command: 'Typing' });
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(indicated);
  },
  '/cgi-bin/message/custom/send': (body, at, response) => {
    const { touser, text } = JSON.parse(body) as { touser: string; text?: { content: string } };
    noted.sent.push({ at, user: touser, text: text?.content ?? '' });
    response.writeHead(200, json).end(done);
  },
  '/bot': (body, at, response) => {
    const user = /<FromUserName><!\[CDATA\[(.*?)\]\]>|"from":"(.*?)"/.exec(body)?.slice(1).join('') ?? '';
    noted.asked.push({ at, user });
    const answerIt = (): void => {
      if (isSilent) return void response.writeHead(200, { 'Content-Length': 7 }).end('success');
      const answer = `<xml><ToUserName><![CDATA[${user}]]></ToUserName><FromUserName><![CDATA[gh_bench]]></FromUserName><CreateTime>${Math.floor(Date.now() / 1000)}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[for ${user}]]></Content></xml>`;
      response.writeHead(200, { 'Content-Type': 'text/xml', 'Content-Length': answer.length }).end(answer);
    };
    if (thinkTime === 0) answerIt();
    else setTimeout(answerIt, thinkTime);
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
  const { botDelayMs = thinkTime, botSilent = isSilent } = order;
  [thinkTime, isSilent] = [botDelayMs, botSilent];
  if (order.forget) noted = empty();
  tell({ noted });
});
// With the bench, however that ended.
process.on('disconnect', () => process.exit());

function tell(word: World['said']): void {
  process.send?.(word);
}
