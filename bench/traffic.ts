/**
 * Traffic of both platforms for as long as it is wanted, with their APIs and a bot, as cheap as can be. Each turn is of a
 * user of its own, is held against what came of it, and is then forgotten: this process may run for hours.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageEnvelope, type NxcloudStatus, statusEnvelope } from '../src/simulator/nxcloud-envelope.ts';
import { callbackHeaders } from '../src/simulator/nxcloud-push.ts';
import { setTokens } from '../test/chaos/processes.ts';
import { arrivals, type Exact, now, wait } from './measure.ts';
import { botTime } from './mix.ts';
import { accountsOf, secrets } from './pushes.ts';
import { createLoad, type Load } from './turns-load.ts';

/** What came of the turns so far. */
export interface Count {
  begun: number;
  /** Answered on WeChat's own connection, by custom/send, or through the gateway by a bot of WhatsApp. */
  inline: number;
  sent: number;
  passed: number;
  /** Typing calls. */
  typing: number;
  /** Answered more than once; the bot was called more than once; an answer, or a call of the bot, that is nobody's. */
  doubled: number;
  askedAgain: number;
  astray: number;
  /** Deliveries of pushes that were not taken at once, as on a machine that has too much to do: they are repeated. */
  repeated: number;
  /** Begun, and without an answer; those of them whose pushes keeptyping has taken. */
  open: number;
  unkept: number;
  /** Why deliveries were not taken: a status, or what became of the connection. */
  why: Record<string, number>;
}

export interface TrafficOptions {
  /** One turn in so many is WhatsApp's; 0: none. */
  whatsappOneIn: number;
  /** The bot's times are those of models: log-normal with this median (ms). */
  botMedianMs: number;
  /** How far they are spread; 0: all are the median. */
  botSpread: number;
}

/** As from models, and a mix: one answer of WeChat in three is later than its connection is held. */
export const ofModels: TrafficOptions = { whatsappOneIn: 4, botMedianMs: 3_000, botSpread: 0.8 };

/** Log-normal times have this mean (ms). */
export function meanOf({ botMedianMs, botSpread }: TrafficOptions): number {
  return botMedianMs * Math.exp(botSpread ** 2 / 2);
}

export interface Traffic {
  /** The settings of the accounts. */
  environment: Record<string, string>;
  /** Pushes go to this web from now on. */
  connect(webUrl: string): void;
  /** From now on one turn in so many is WhatsApp's. */
  mix(whatsappOneIn: number): void;
  /** Resolves when the turn has its answer. */
  turn(): Promise<void>;
  /** So many turns a second on average for so long (ms), whether they are answered or not. */
  openly(ms: number, perSecond: number): Promise<void>;
  /** As many turns as there is time for, so many open at once. */
  crowd(ms: number, atOnce: number): Promise<void>;
  count(): Count;
  /** Resolves when all are answered, or in the end; then a second answer has had time to come. */
  settled(): Promise<Count>;
  close(): Promise<void>;
}

interface Turn {
  answers: number;
  asked: number;
  /** A delivery of its push had a 2xx. */
  isTaken: boolean;
  end: () => void;
}

/** A second answer of a turn is seen as such for so long after the first (ms). */
const grace = 20_000;
/** Longer than any bot here, and than what follows it (ms). */
const patience = 100_000;
/** NXCloud's pushes come so often at most. */
const deliveries = 3;
/** When the statuses of a message follow it (ms). */
const statuses = { sent: 50, delivered: 200, read: 1_000 } as const;

const nxcloud = { ...secrets, callbacks: 'md5', shape: 'current' } as const;

export async function openTraffic({ botMedianMs, botSpread, ...options }: TrafficOptions): Promise<Traffic> {
  let { whatsappOneIn } = options;
  const counts = {
    begun: 0,
    inline: 0,
    sent: 0,
    passed: 0,
    typing: 0,
    doubled: 0,
    askedAgain: 0,
    astray: 0,
    repeated: 0,
  };
  const open = new Map<string, Turn>();
  const over = new Map<string, Turn>();
  const why: Record<string, number> = {};
  // Shorter than what Node's servers keep an idle connection.
  const agent = new Agent({ keepAlive: true, timeout: 2_000 });
  const run = String(randomBytes(3).readUIntBE(0, 3) % 10_000).padStart(4, '0');
  let load: Load | null = null;
  let webUrl = '';

  const answered = (user: string, way: 'inline' | 'sent' | 'passed'): void => {
    counts[way] += 1;
    const turn = open.get(user) ?? over.get(user);
    // It was answered long ago.
    if (!turn || turn.answers > 0) counts.doubled += 1;
    if (!turn) return;
    turn.answers += 1;
    if (!open.delete(user)) return;
    over.set(user, turn);
    setTimeout(() => over.delete(user), grace).unref();
    turn.end();
  };

  const asked = (user: string): void => {
    const turn = open.get(user) ?? over.get(user);
    if (!turn || turn.asked > 0) counts.askedAgain += 1;
    if (turn) turn.asked += 1;
  };

  const notTaken = (reason: string): void => {
    counts.repeated += 1;
    why[reason] = (why[reason] ?? 0) + 1;
  };

  const wechatTurn = async (user: string): Promise<boolean> => {
    const { inline, faults, held } = load ? await load.push(user) : { inline: [], faults: [], held: [] };
    faults.forEach(notTaken);
    for (const body of inline)
      if (body.includes(`for ${user}]`)) answered(user, 'inline');
      else counts.astray += 1;
    return held.length > faults.length;
  };

  const callback = async (action: 'mo' | 'dr', body: string): Promise<boolean> => {
    const headers = callbackHeaders({ ...nxcloud, now: Date.now }, { action, body });
    for (let delivery = 0; delivery < deliveries; delivery += 1) {
      const status = await post(agent, `${webUrl}/webhooks/nxcloud`, { headers, body });
      if (status === 200) return true;
      notTaken(`${status}`);
      await wait(1_000);
    }
    return false;
  };

  const whatsappTurn = (user: string): Promise<boolean> => {
    const message = { user, text: 'How long does this take?', id: newId() };
    return callback('mo', JSON.stringify(messageEnvelope(nxcloud, message, Date.now())));
  };

  /** The bot of WhatsApp has acknowledged, and sends its answer itself. */
  const sendItself = async (to: string): Promise<void> => {
    await wait(thinkTime());
    const headers = { 'content-type': 'application/json' };
    const text = { body: `for ${to}` };
    const body = JSON.stringify({ messaging_product: 'whatsapp', to, type: 'text', text });
    const url = `${webUrl}/gateway/${setTokens.GATEWAY_KEY}/nxcloud/default/api/wa/mt`;
    // What nobody took is not sent again: the turn has no answer.
    const status = await post(agent, url, { headers, body });
    if (status !== 200) notTaken(`gateway ${status}`);
  };

  const tellStatuses = (user: string, id: string): void => {
    for (const [status, after] of Object.entries(statuses) as [NxcloudStatus['status'], number][])
      setTimeout(() => {
        const body = JSON.stringify(statusEnvelope(nxcloud, { user, id, status }, Date.now()));
        void callback('dr', body);
      }, after);
  };

  const thinkTime = (): number => botTime(Math.random, botMedianMs, botSpread);

  const bot = (body: string, response: ServerResponse): void => {
    if (body.startsWith('{')) {
      json(response, '{}');
      const user = /"from":"(\d+)"/.exec(body)?.[1];
      if (user === undefined) return; // A status.
      asked(user);
      void sendItself(user);
      return;
    }
    const user = /<FromUserName><!\[CDATA\[(.*?)\]\]>/.exec(body)?.[1] ?? '';
    asked(user);
    setTimeout(() => {
      const answer = `<xml><ToUserName><![CDATA[${user}]]></ToUserName><FromUserName><![CDATA[gh_bench]]></FromUserName><CreateTime>${Math.floor(Date.now() / 1000)}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[for ${user}]]></Content></xml>`;
      response.writeHead(200, { 'Content-Type': 'text/xml', 'Content-Length': answer.length }).end(answer);
    }, thinkTime());
  };

  const routes: Readonly<Record<string, (body: string, response: ServerResponse) => void>> = {
    '/bot': bot,
    '/cgi-bin/stable_token': (_, response) =>
      json(response, '{"access_token":"the-token-of-the-bench","expires_in":7200}'),
    '/cgi-bin/message/custom/typing': (_, response) => {
      counts.typing += 1;
      json(response, '{"errcode":0,"errmsg":"ok"}');
    },
    '/api/wa/typingIndicator': (_, response) => {
      counts.typing += 1;
      json(response, '{"code":0,"data":{"success":true},"message":"success"}');
    },
    '/cgi-bin/message/custom/send': (body, response) => {
      json(response, '{"errcode":0,"errmsg":"ok"}');
      answered(/for (\w+)/.exec(body)?.[1] ?? '', 'sent');
    },
    '/api/wa/mt': (body, response) => {
      const id = newId();
      const user = /for (\d+)/.exec(body)?.[1] ?? '';
      json(response, JSON.stringify({ code: 0, data: { messages: [{ id }] }, message: 'success' }));
      answered(user, 'passed');
      tellStatuses(user, id);
    },
  };

  const take = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = incoming.url?.replace(/\?.*/s, '') ?? '';
    const body = await bodyOf(incoming);
    const route = routes[path];
    if (route) route(body, response);
    else response.writeHead(404).end();
  };
  const server = createServer((incoming, response) => {
    // Who has hung up wants no answer.
    take(incoming, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const turn = async (): Promise<void> => {
    const nth = (counts.begun += 1);
    const isWhatsapp = whatsappOneIn > 0 && nth % whatsappOneIn === 0;
    // As long as a phone number, and as an openid.
    const user = isWhatsapp
      ? `86${run}${nth.toString().padStart(7, '0')}`
      : `oTraffic${run}_${nth.toString().padStart(15, '0')}`;
    const ended = new Promise<void>((end) => open.set(user, { answers: 0, asked: 0, isTaken: false, end }));
    const isTaken = await (isWhatsapp ? whatsappTurn(user) : wechatTurn(user));
    const turn = open.get(user);
    if (turn) turn.isTaken = isTaken;
    await ended;
  };
  const count = (): Count => {
    const unkept = [...open.values()].filter((each) => each.isTaken).length;
    return { ...counts, open: open.size, unkept, why };
  };
  return {
    environment: accountsOf({ base: `http://127.0.0.1:${port}`, bot: true }),
    connect: (url) => {
      webUrl = url;
      load?.close();
      load = createLoad({ url: `${url}/webhooks/wechat` });
    },
    mix: (oneIn) => (whatsappOneIn = oneIn),
    turn,
    async openly(ms, perSecond) {
      const from = now();
      for (const at of arrivals(Math.round((ms * perSecond) / 1_000), perSecond)) {
        await wait(Math.max(0, from + at - now()));
        void turn();
      }
      await wait(Math.max(0, from + ms - now()));
    },
    async crowd(ms, atOnce) {
      const until = now() + ms;
      const one = async (): Promise<void> => {
        while (now() < until) await turn();
      };
      for (let index = 0; index < atOnce; index += 1) void one();
      // Whoever has no answer does not hold up the others.
      await wait(ms);
    },
    count,
    async settled() {
      const end = now() + patience;
      while (open.size > 0 && now() < end) await wait(250);
      await wait(3_000);
      return count();
    },
    async close() {
      load?.close();
      agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Each push has exactly one answer, after one call of the bot. */
export function exactnessOf({ begun, doubled, askedAgain, astray, open, unkept }: Count): Exact {
  const wrong = {
    'taken and without an answer': unkept,
    'not taken by any delivery': open - unkept,
    'answered twice': doubled,
    'asked again': askedAgain,
    "with another's answer": astray,
  };
  return { turns: begun, wrong };
}

function newId(): string {
  return `wamid.${randomBytes(24).toString('base64')}`;
}

function json(response: ServerResponse, body: string): void {
  response
    .writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
    .end(body);
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let body = '';
  incoming.setEncoding('utf8');
  for await (const chunk of incoming as AsyncIterable<string>) body += chunk;
  return body;
}

/** Resolves with the status; 0: there was no answer. */
function post(
  agent: Agent,
  url: string,
  { headers, body }: { headers: Record<string, string>; body: string },
): Promise<number> {
  return new Promise((resolve) => {
    const all = {
      'Content-Type': 'application/json',
      ...headers,
      'Content-Length': Buffer.byteLength(body),
    };
    const outgoing = request(url, { method: 'POST', agent, headers: all }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
      answer.once('error', () => resolve(0));
    });
    outgoing.once('error', () => resolve(0)).end(body);
  });
}
