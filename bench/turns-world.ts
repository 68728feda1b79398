/**
 * WeChat's API and the bot of `turns.ts`, in a process of its own and as cheap as can be: what it takes of the
 * processor is not counted, but on two of them it is in everybody's way. It judges nothing; it notes who called when.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Noted, Order, World } from './turns-site.ts';

let botDelayMs = 200;
let noted: Noted = empty();

function empty(): Noted {
  return { typing: [], sent: [], asked: [] };
}

const json = { 'Content-Type': 'application/json', 'Content-Length': 27 };
const done = '{"errcode":0,"errmsg":"ok"}';
const grant = '{"access_token":"the-token-of-the-bench","expires_in":7200}';

type Route = (body: string, at: number, response: ServerResponse) => void;

const routes: Readonly<Record<string, Route>> = {
  '/cgi-bin/stable_token': (_, __, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(grant),
  '/cgi-bin/message/custom/typing': (body, at, response) => {
    const { touser, command } = JSON.parse(body) as { touser: string; command: string };
    noted.typing.push({ at, user: touser, command });
    response.writeHead(200, json).end(done);
  },
  '/cgi-bin/message/custom/send': (body, at, response) => {
    const { touser, text } = JSON.parse(body) as { touser: string; text?: { content: string } };
    noted.sent.push({ at, user: touser, text: text?.content ?? '' });
    response.writeHead(200, json).end(done);
  },
  '/bot': (body, at, response) => {
    const user = /<FromUserName><!\[CDATA\[(.*?)\]\]>/.exec(body)?.[1] ?? '';
    noted.asked.push({ at, user });
    setTimeout(() => {
      const answer = `<xml><ToUserName><![CDATA[${user}]]></ToUserName><FromUserName><![CDATA[gh_bench]]></FromUserName><CreateTime>${Math.floor(Date.now() / 1000)}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[for ${user}]]></Content></xml>`;
      response.writeHead(200, { 'Content-Type': 'text/xml', 'Content-Length': answer.length }).end(answer);
    }, botDelayMs);
  },
};

function take(request: IncomingMessage, response: ServerResponse): void {
  const at = performance.timeOrigin + performance.now();
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
  if (order.botDelayMs !== undefined) botDelayMs = order.botDelayMs;
  if (order.forget) noted = empty();
  tell({ noted });
});
// With the bench, however that ended.
process.on('disconnect', () => process.exit());

function tell(word: World['said']): void {
  process.send?.(word);
}
