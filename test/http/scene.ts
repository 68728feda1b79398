/** The web application between real connections and object literals of its narrow ports. */
import { createServer } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import type { Happening, Platform } from '../../src/core/platform.ts';
import type { Clock } from '../../src/core/ports.ts';
import { createRoster, type Place, type Served, type ServedBot } from '../../src/core/roster.ts';
import type { Event } from '../../src/core/state.ts';
import type { Answer, OutboundRequest, RawPush, Send } from '../../src/core/wire.ts';
import { createApp, type Readiness, webhooks } from '../../src/http/app.ts';
import { type Client, createClient } from '../../src/http/client.ts';
import { createHolds, type HeldDeliveries, type Holds } from '../../src/http/holds.ts';
import type { Later, WebDeps } from '../../src/http/task.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { createNxcloud } from '../../src/nxcloud/index.ts';
import { createDirect, type Direct } from '../../src/replies/direct.ts';
import type { Intake } from '../../src/replies/intake.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { sign } from '../../src/wechat/receive.ts';
import { nxcloudAccount, wechatAccount } from '../support/accounts.ts';
import { handClock, noon, realSleep } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { envelope, textMessage } from '../support/nxcloud.ts';
import { adapterDeps, answerOf, granted, scriptedSend, xmlOf } from '../support/wechat.ts';
import { call, type Call, gzipLooking, linesOf, listen, type UnderWay, utf8 } from './wire.ts';

export type Entry =
  | { is: 'tell'; account: string; happenings: readonly Happening[]; phase: string }
  | { is: 'tellEvent'; user: string; event: Event }
  | { is: 'enqueue'; account: string; key: string; push: RawPush }
  | { is: 'redeliver'; key: string; push: RawPush }
  | { is: 'hold'; id: string; holder: string }
  | { is: 'claim' | 'leave'; id: string; holder: string }
  | { is: 'giveBack' | 'giveBackLater'; id: string; holder: string }
  | { is: 'redeliverLater'; key: string }
  | { is: 'forfeit' | 'resume'; id: string }
  /** The platform has its answer, or is gone without one. */
  | { is: 'written' | 'hungUp' }
  | { is: 'isMute' }
  | { is: 'wait'; limitMs: number }
  | { is: 'asked'; request: OutboundRequest }
  | { is: 'sent'; body: unknown };

/** What happened, in its order; `when` waits until something has happened so often. */
export function createJournal() {
  const entries: Entry[] = [];
  const watching = new Set<() => void>();
  const of = <Is extends Entry['is']>(is: Is) =>
    entries.filter((entry): entry is Extract<Entry, { is: Is }> => entry.is === is);
  return {
    entries,
    kinds: () => entries.map(({ is }) => is),
    of,
    record: (entry: Entry) => {
      entries.push(entry);
      for (const look of watching) look();
    },
    when: <Is extends Entry['is']>(is: Is, count = 1) =>
      new Promise<Extract<Entry, { is: Is }>>((resolve) => {
        const look = (): void => {
          const found = of(is)[count - 1];
          if (!found) return;
          watching.delete(look);
          resolve(found);
        };
        watching.add(look);
        look();
      }),
  };
}

export type Journal = ReturnType<typeof createJournal>;

export const clock = handClock(noon, realSleep);

export const bot: ServedBot = {
  url: 'http://bot.test/hook?own=1',
  mode: 'job',
  timeoutMs: 5_000,
  retry: 'safe',
  concurrency: null,
};

/** A WeChat account as it is served; what it sends late is recorded as `sent`. */
export function wechat(
  served: {
    account?: Partial<WechatAccount>;
    bot?: ServedBot | null;
    journal?: Journal;
    sends?: object;
  } = {},
): Served {
  const send = scriptedSend(granted('T1'), ({ body }) => {
    served.journal?.record({ is: 'sent', body: JSON.parse(String(body)) });
    return answerOf(served.sends ?? { errcode: 0 });
  });
  const platform = createWechat({ ...wechatAccount, ...served.account }, adapterDeps(scriptedSend(), send));
  const apiBase = 'http://api.test';
  return { platform, apiBase, bot: served.bot === undefined ? bot : served.bot };
}

export function nxcloud(served: { account?: Partial<NxcloudAccount>; bot?: ServedBot | null } = {}): Served {
  const dependencies = { typing: scriptedSend(), clock, log: recordLog() };
  const platform = createNxcloud({ ...nxcloudAccount, ...served.account }, dependencies);
  const apiBase = 'http://api.test';
  return { platform, apiBase, bot: served.bot === undefined ? bot : served.bot };
}

export interface SceneOptions {
  journal?: Journal;
  accounts?: readonly Served[];
  intake?: Partial<Intake>;
  deliveries?: Partial<WebDeps['deliveries'] & HeldDeliveries>;
  later?: Partial<Later>;
  holds?: (made: Holds) => Holds;
  /** Calls the bot. */
  send?: Send;
  clock?: Clock;
  holdMs?: number;
  storedPushLimit?: number;
  reachesRedis?: () => boolean;
  isMute?: (platform: Platform) => boolean | Promise<boolean>;
  readiness?: Partial<Readiness>;
  /** Not all accounts have been read yet. */
  mayCome?: () => boolean;
  isSkipped?: (place: Place) => boolean;
}

export interface Scene {
  url: string;
  journal: Journal;
  log: RecordedLog;
  holds: Holds;
  direct: Direct;
  /** Makes a request; `path` with its query. */
  call(path: string, how?: Call): UnderWay;
  /** Resolves when everything that reached the server before has been looked at. */
  roundTrip(): Promise<void>;
}

/** Serves on a free port until the test is over. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const journal = options.journal ?? createJournal();
  const log = recordLog();
  const send: Send = (request) => {
    journal.record({ is: 'asked', request });
    return (options.send ?? nobodyAsks)(request);
  };
  const deliveries = deliveriesOf(journal, options.deliveries);
  const made = createHolds('web-1', deliveries);
  const holds = options.holds?.(made) ?? made;
  const direct = createDirect({ send, clock: handClock(), log });
  const deps: WebDeps = {
    intake: intakeOf(journal, options.intake),
    deliveries,
    later: laterOf(journal, options.later),
    holds,
    direct,
    reachesRedis: options.reachesRedis ?? (() => true),
    clock: options.clock ?? clock,
    log,
    holdMs: options.holdMs ?? 60_000,
    storedPushLimit: options.storedPushLimit ?? 64_000,
    isMute: (platform) => {
      journal.record({ is: 'isMute' });
      return options.isMute?.(platform) ?? false;
    },
  };
  const accounts = createRoster(options.accounts ?? [wechat({ journal }), nxcloud()]);
  const readiness: Readiness = { phase: 'ready', degraded: [], skipped: [], ...options.readiness };
  const handlers = webhooks({
    ...deps,
    send,
    accounts,
    strangers: new Set(),
    mayCome: options.mayCome ?? (() => false),
    ...(options.isSkipped ? { isSkipped: options.isSkipped } : {}),
  });
  const server = createServer();
  server.on('request', ({ url }, response) => {
    if (!url?.startsWith('/webhooks')) return;
    response.once('finish', () => journal.record({ is: 'written' }));
    response.once('close', () => {
      if (!response.writableFinished) journal.record({ is: 'hungUp' });
    });
  });
  server.on('request', createApp({ log, readiness: () => readiness, ...handlers }));
  const url = await listen(server);
  return {
    url,
    journal,
    log,
    holds,
    direct,
    call: (path, how) => call(`${url}${path}`, how),
    roundTrip: async () => void (await call(`${url}/healthz`, { method: 'GET' }).answer),
  };
}

const nobodyAsks: Send = () => Promise.reject(new Error('nobody expected a call of the bot'));

/** Records what it is told, then does as `over` says. */
function intakeOf(journal: Journal, over: Partial<Intake> = {}): Intake {
  return {
    tell: async (platform, happenings, phase) => {
      journal.record({ is: 'tell', account: platform.account, happenings, phase });
      await over.tell?.(platform, happenings, phase);
    },
    tellEvent: async (platform, user, event) => {
      journal.record({ is: 'tellEvent', user, event });
      await over.tellEvent?.(platform, user, event);
    },
    enqueue: async (platform, received) => {
      journal.record({ is: 'enqueue', account: platform.account, key: received.key, push: received.push });
      await over.enqueue?.(platform, received);
    },
    redeliver: async (platform, received) => {
      journal.record({ is: 'redeliver', key: received.key, push: received.push });
      await over.redeliver?.(platform, received);
    },
  };
}

function deliveriesOf(
  journal: Journal,
  over: Partial<WebDeps['deliveries'] & HeldDeliveries> = {},
): WebDeps['deliveries'] & HeldDeliveries {
  return {
    hold: async (id, holder, until) => {
      journal.record({ is: 'hold', id, holder });
      return over.hold?.(id, holder, until) ?? { is: 'held', deliveries: 1 };
    },
    claim: async (id, holder) => {
      journal.record({ is: 'claim', id, holder });
      return over.claim?.(id, holder) ?? null;
    },
    leave: async (id, holder) => {
      journal.record({ is: 'leave', id, holder });
      return over.leave?.(id, holder) ?? null;
    },
    giveBack: async (id, holder) => {
      journal.record({ is: 'giveBack', id, holder });
      return over.giveBack?.(id, holder) ?? false;
    },
  };
}

function laterOf(journal: Journal, over: Partial<Later> = {}): Later {
  return {
    giveBack: async (id, holder) => {
      journal.record({ is: 'giveBackLater', id, holder });
      return over.giveBack?.(id, holder) ?? false;
    },
    redeliver: async (platform, received) => {
      journal.record({ is: 'redeliverLater', key: received.key });
      await over.redeliver?.(platform, received);
    },
    forfeit: async (id) => {
      journal.record({ is: 'forfeit', id });
      await over.forfeit?.(id);
    },
    resume: async (id) => {
      journal.record({ is: 'resume', id });
      return over.resume?.(id) ?? true;
    },
  };
}

/** keeptyping's own HTTP client, closed when the test is over. */
export function openClient(over: Partial<Parameters<typeof createClient>[0]> = {}): Client {
  const client = createClient({ maxSockets: 10, idleMs: 5_000, harmlessTwice: false, ...over });
  onTestFinished(() => client.close());
  return client;
}

export const wechatText = {
  ToUserName: 'gh_x',
  FromUserName: 'openid1',
  CreateTime: '1348831860',
  MsgType: 'text',
  Content: '你好',
  MsgId: '1234567890123456789',
};

/** A WeChat webhook URL's path with a query that this token signs. */
export function signedPath(account = '', token = 'AAAAA'): string {
  const signature = sign([token, '1714037059', '486452656']);
  const path = account === '' ? '/webhooks/wechat' : `/webhooks/wechat/${account}`;
  return `${path}?signature=${signature}&timestamp=1714037059&nonce=486452656`;
}

/** A WeChat user's text message. */
export function pushWechat(
  scene: Pick<Scene, 'call'>,
  body: string | Uint8Array = xmlOf(wechatText),
): UnderWay {
  return scene.call(signedPath(), { headers: ['Content-Type', 'text/xml'], body });
}

/** A WhatsApp user's text message. */
export function pushNxcloud(scene: Pick<Scene, 'call'>): UnderWay {
  const body = JSON.stringify(envelope({ messages: [textMessage()] }));
  return scene.call('/webhooks/nxcloud', { headers: ['Content-Type', 'application/json'], body });
}

/** A bot's passive reply, with what a careless relay would change. */
export const passiveReply: Answer = {
  status: 200,
  headers: [
    ['content-TYPE', 'text/xml;charset=GBK'],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
    ['X-Bot', 'slow'],
  ],
  body: utf8(xmlOf({ ToUserName: 'openid1', FromUserName: 'gh_x', MsgType: 'text', Content: '慢慢来' })),
};

/** What WeChat hears when there is nothing to say yet. */
export const success = { status: 200, body: Buffer.from('success') };

/** What a relay must not understand. */
export const oddAnswer: Answer = {
  status: 418,
  headers: [
    ['X-Typing', 'keep'],
    ['Set-Cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['content-type', 'application/octet-stream'],
  ],
  body: Buffer.from(gzipLooking),
};

/** What the platform reads is what the bot wrote. */
export function expectRelayed(got: Answer, bots: Answer): void {
  expect(got.status).toBe(bots.status);
  expect(got.body).toEqual(Buffer.from(bots.body));
  const names = new Set(bots.headers.map(([name]) => name.toLowerCase()));
  for (const name of names) expect(linesOf(got.headers, name)).toEqual(linesOf(bots.headers, name));
  const added = got.headers.map(([name]) => name.toLowerCase()).filter((name) => !names.has(name));
  expect(added.sort()).toEqual(['connection', 'content-length', 'date']);
}
