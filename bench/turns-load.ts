/** WeChat's side of `turns.ts`: signed pushes, each of a user of its own, held against what came back. */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { arrivals, now, wait } from './measure.ts';
import { secrets } from './pushes.ts';
import type { TurnsSite } from './turns-site.ts';

export interface Pushed {
  user: string;
  /** When its first delivery began. */
  at: number;
  /** When its answer came inline; null: it did not. */
  inlineAt: number | null;
  /** How long each delivery was held (ms); one that WeChat gave up counts as its 5 s and more. */
  held: number[];
  /** Answers that came inline: `success` is none. */
  inline: string[];
  /** Statuses other than 200, and connections that broke. */
  faults: string[];
}

/** WeChat waits so long for an answer (ms), and delivers a push so often. */
const ackLimit = 5_000;
const deliveries = 3;

export interface Load {
  /** @param of Who writes. @default somebody new */
  push(of?: string): Promise<Pushed>;
  newUser(): string;
  /** So many pushes in all, so many of them under way at a time. */
  pushAll(count: number, atOnce: number): Promise<Pushed[]>;
  /** As many as there is time for. */
  pushFor(ms: number, atOnce: number): Promise<Pushed[]>;
  /** So many a second on average, whether they are answered or not. */
  pushOpenly(count: number, perSecond: number): Promise<Pushed[]>;
  close(): void;
}

let users = 0;
let messages = 0;

export function createLoad({ url }: Pick<TurnsSite, 'url'>): Load {
  // Shorter than what Node's servers keep an idle connection.
  const agent = new Agent({ keepAlive: true, timeout: 2_000 });
  const run = `${process.pid}${Date.now() % 1_000_000}`;
  const newUser = (): string => `oBench${run}_${(users += 1)}`;
  const push = async (user = newUser()): Promise<Pushed> => {
    const message = messageOf(user, `${run}${String((messages += 1)).padStart(8, '0')}`);
    const pushed: Pushed = { user, at: now(), inlineAt: null, held: [], inline: [], faults: [] };
    while (pushed.held.length < deliveries) {
      const began = now();
      const answer = await deliver(`${url}?${queryOf(user)}`, message, agent);
      pushed.held.push(now() - began);
      if (answer.status === 200) {
        if (answer.body === 'success' || answer.body === '') return pushed;
        pushed.inline.push(answer.body);
        pushed.inlineAt = now();
        return pushed;
      }
      pushed.faults.push(answer.body);
      // A connection that broke is no reason to wait; one that was too slow has waited.
      if (answer.status === 0 && answer.body !== 'too slow') await wait(100);
    }
    return pushed;
  };
  const pushWhile = async (goOn: (begun: number) => boolean, atOnce: number): Promise<Pushed[]> => {
    const all: Pushed[] = [];
    let begun = 0;
    const one = async (): Promise<void> => {
      while (goOn(begun)) {
        begun += 1;
        all.push(await push());
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    return all;
  };
  return {
    push,
    newUser,
    pushAll: (count, atOnce) => pushWhile((begun) => begun < count, atOnce),
    pushFor: (ms, atOnce) => {
      const until = now() + ms;
      return pushWhile(() => now() < until, atOnce);
    },
    async pushOpenly(count, perSecond) {
      const from = now();
      const all: Promise<Pushed>[] = [];
      for (const at of arrivals(count, perSecond)) {
        await wait(Math.max(0, from + at - now()));
        all.push(push());
      }
      return Promise.all(all);
    },
    close: () => agent.destroy(),
  };
}

function messageOf(user: string, msgId: string): string {
  return `<xml><ToUserName><![CDATA[gh_bench]]></ToUserName><FromUserName><![CDATA[${user}]]></FromUserName><CreateTime>${Math.floor(Date.now() / 1000)}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[How long does this take?]]></Content><MsgId>${msgId}</MsgId></xml>`;
}

function queryOf(user: string): string {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = '486452656';
  const parts = [secrets.token, timestamp, nonce].toSorted().join('');
  const signature = createHash('sha1').update(parts).digest('hex');
  return `signature=${signature}&timestamp=${timestamp}&nonce=${nonce}&openid=${user}`;
}

/** Status 0: no answer, and why. */
interface Delivered {
  status: number;
  body: string;
}

function deliver(url: string, message: string, agent: Agent): Promise<Delivered> {
  return new Promise((resolve) => {
    const headers = {
      'User-Agent': 'Mozilla/4.0',
      Accept: '*/*',
      Pragma: 'no-cache',
      'Content-Type': 'text/xml',
      'Content-Length': message.length,
    };
    const outgoing = request(url, { method: 'POST', agent, headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (body += chunk));
      answer.once('end', () => end({ status: answer.statusCode ?? 0, body }));
      answer.once('error', () => end({ status: 0, body: 'half an answer' }));
    });
    const limit = setTimeout(() => {
      end({ status: 0, body: 'too slow' });
      outgoing.destroy();
    }, ackLimit);
    const end = (delivered: Delivered): void => {
      clearTimeout(limit);
      resolve(delivered);
    };
    outgoing.on('error', (error) => end({ status: 0, body: error.message }));
    outgoing.end(message);
  });
}
