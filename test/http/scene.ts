/** The web application between real connections and object literals of its narrow ports. */
import { createServer, type ServerResponse } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import type { Happening, Platform } from '../../src/core/platform.ts';
import type { Observe } from '../../src/core/notice.ts';
import type { Clock } from '../../src/core/ports.ts';
import { createRoster, type Place, type Served, type ServedBot } from '../../src/core/roster.ts';
import type { Event } from '../../src/core/state.ts';
import { type Answer, NoAnswer, type OutboundRequest, type RawPush, type Send } from '../../src/core/wire.ts';
import { createApp, type Readiness, webhooks } from '../../src/http/app.ts';
import { type Client, createClient } from '../../src/http/client.ts';
import type { Pressure } from '../../src/typing/pressure.ts';
import { createHolds, type Hold, type Holds } from '../../src/http/holds.ts';
import { createRefused } from '../../src/http/refused.ts';
import { type Bodies, createBodies } from '../../src/http/respond.ts';
import type { WebDeps } from '../../src/http/task.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { createNxcloud } from '../../src/nxcloud/index.ts';
import { createOutbox } from '../../src/redis/outbox.ts';
import type { Deliveries } from '../../src/replies/delivery.ts';
import type { Intake } from '../../src/replies/intake.ts';
import { createOwned } from '../../src/replies/owned.ts';
import { createTurns } from '../../src/replies/turns.ts';
import { restorePush } from '../../src/typing/jobs.ts';
import type { ReplyQueue } from '../../src/replies/jobs.ts';
import type { EventQueue } from '../../src/typing/events.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { sign } from '../../src/wechat/receive.ts';
import { nxcloudAccount, wechatAccount } from '../support/accounts.ts';
import { handClock, noon, patientClock, realSleep } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { envelope, textMessage } from '../support/nxcloud.ts';
import { atMost, noPressure } from '../support/queue-fakes.ts';
import { adapterDeps, answerOf, granted, scriptedSend, xmlOf } from '../support/wechat.ts';
import { call, type Call, gzipLooking, linesOf, listen, type UnderWay, utf8 } from './wire.ts';

export type Entry =
  | { is: 'tell'; account: string; happenings: readonly Happening[]; phase: string }
  | { is: 'tellEvent'; user: string; event: Event }
  /** Redis is asked whose the push is. `push`: what insures it; null: nothing does. */
  | { is: 'take'; id: string; holder: string | null; push: RawPush | null }
  | { is: 'write' | 'send' | 'offer' | 'claim' | 'giveBack' | 'leave'; id: string }
  | { is: 'settle'; id: string; state: string }
  /** A reply job is added. */
  | { is: 'enqueue'; key: string; push: RawPush }
  | { is: 'hold'; id: string; holder: string }
  /** The platform has its answer, or is gone without one. */
  | { is: 'written' | 'hungUp' }
  | { is: 'isMute' | 'refreshMute' }
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
  events?: Partial<EventQueue>;
  deliveries?: Partial<Deliveries>;
  /** Calls the bot. */
  send?: Send;
  clock?: Clock;
  holdMs?: number;
  storedPushLimit?: number;
  /** Redis is away. */
  isAway?: () => boolean;
  isMute?: (platform: Platform) => boolean;
  /** Waits of whoever carries the push take no time, unless this clock says so. */
  carryClock?: Clock;
  /** What whoever carries the push knows of that. @default false */
  isMuteNow?: boolean;
  /** Sees each response to a webhook before it is used. */
  responded?: (response: ServerResponse) => void;
  readiness?: Partial<Readiness>;
  /** How far behind the process is. @default not at all */
  pressure?: Partial<Pressure>;
  /** Not all accounts have been read yet. */
  mayCome?: () => boolean;
  isSkipped?: (place: Place) => boolean;
  /** Deliveries in pass mode that may be under way at once. */
  places?: number;
  observe?: Observe;
  /** Receive the bodies. @default by the usual bounds */
  bodies?: Bodies;
}

export interface Scene {
  url: string;
  journal: Journal;
  log: RecordedLog;
  holds: Holds;
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
  /** Bots of tests may never answer, and are given up with the test. */
  const sendGivingUp: Send = (request) =>
    new Promise((resolve, reject) => {
      request.signal?.addEventListener('abort', () => reject(new NoAnswer('aborted', { begun: true })));
      send(request).then(resolve, reject);
    });
  const deliveries = deliveriesOf(journal, options.deliveries);
  const holds = recordHolds(journal, createHolds({ name: 'web-1', deliveries }));
  const events = eventsOf(journal, options.events);
  const carryClock = options.carryClock ?? patientClock();
  const health = {
    isAway: options.isAway ?? (() => false),
    backFor: () => Infinity,
    onBack: () => {},
  };
  const outbox = createOutbox({ health, clock: carryClock, log });
  const owned = createOwned({ deliveries, outbox, clock: carryClock, log });
  onTestFinished(() => {
    void owned.stop(0);
    outbox.close();
  });
  const turns = createTurns({
    deliveries,
    events,
    outbox,
    health,
    learned: { isMute: () => options.isMuteNow ?? false, mute: async () => {}, switchOn: async () => {} },
    clock: carryClock,
    log,
    holds,
    send: sendGivingUp,
    notify: async () => 1,
    makeWay: async () => null,
    replies: repliesOf(journal),
    owned,
    name: 'web-1',
    shares: atMost(1_000),
    pressure: noPressure,
    storedPushLimit: options.storedPushLimit ?? 64_000,
    askOwner: async () => 1,
  });
  const bodies = options.bodies ?? createBodies();
  const deps: WebDeps = {
    bodies,
    intake: intakeOf(journal, options.intake),
    turns,
    holds,
    events,
    clock: options.clock ?? clock,
    log,
    observe: options.observe,
    holdMs: options.holdMs ?? 60_000,
    pressure: { ...noPressure, ...options.pressure },
    refreshMute: () => journal.record({ is: 'refreshMute' }),
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
    shares: atMost(options.places ?? 1_000),
    // Its minute does not end.
    refused: createRefused({ clock: { ...clock, sleep: () => new Promise(() => {}) }, log }),
    allowances: new Map(),
    mayCome: options.mayCome ?? (() => false),
    ...(options.isSkipped ? { isSkipped: options.isSkipped } : {}),
  });
  const server = createServer();
  server.on('request', ({ url }, response) => {
    if (!url?.startsWith('/webhooks')) return;
    options.responded?.(response);
    response.once('finish', () => journal.record({ is: 'written' }));
    response.once('close', () => {
      if (!response.writableFinished) journal.record({ is: 'hungUp' });
    });
  });
  server.on('request', createApp({ log, readiness: () => readiness, bodies, ...handlers }));
  const url = await listen(server);
  return {
    url,
    journal,
    log,
    holds,
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
  };
}

function eventsOf(journal: Journal, over: Partial<EventQueue> = {}): EventQueue {
  return {
    tell: async (conversation, event, how) => {
      journal.record({ is: 'tellEvent', user: conversation.user, event });
      return over.tell?.(conversation, event, how) ?? null;
    },
  };
}

function repliesOf(journal: Journal): ReplyQueue {
  return {
    add: async (_, { key, push }) => {
      journal.record({ is: 'enqueue', key, push: restorePush(push) });
    },
    remove: async () => 0,
  };
}

function recordHolds(journal: Journal, holds: Holds): Holds {
  return {
    ...holds,
    open: (id) => {
      const hold = holds.open(id);
      journal.record({ is: 'hold', id, holder: hold.name });
      const wait: Hold['wait'] = (how) => {
        const answer = hold.wait(how);
        journal.record({ is: 'wait', limitMs: how.limitMs });
        return answer;
      };
      return { ...hold, wait };
    },
  };
}

/** A record that is always this process's, unless it is said otherwise. */
function deliveriesOf(journal: Journal, over: Partial<Deliveries> = {}): Deliveries {
  let taken = 0;
  const note = (is: 'write' | 'send' | 'offer' | 'claim' | 'giveBack' | 'leave', id: string): void =>
    journal.record({ is, id });
  return {
    take: async (who, holder, dead) => {
      const push = who.insurance ? restorePush(who.insurance.push) : null;
      journal.record({ is: 'take', id: who.id, holder: holder?.name ?? null, push });
      taken += 1;
      return over.take?.(who, holder, dead) ?? { is: 'owned', attempt: 1, deliveries: taken };
    },
    takeOver: () => Promise.reject(new Error('a web takes over no job')),
    renew: async (who, until) => over.renew?.(who, until) ?? true,
    overdue: async () => [],
    carried: async () => [],
    leave: async (id, whose) => {
      note('leave', id);
      await over.leave?.(id, whose);
    },
    write: async (who, repeats) => {
      note('write', who.id);
      return over.write?.(who, repeats) ?? true;
    },
    send: async (who, at, now) => {
      note('send', who.id);
      return over.send?.(who, at, now) ?? { is: 'may' };
    },
    insure: async () => {},
    part: async (who, at, sent) => over.part?.(who, at, sent) ?? true,
    offer: async (who, answer, holder) => {
      note('offer', who.id);
      return over.offer?.(who, answer, holder) ?? true;
    },
    claim: async (id, holder) => {
      note('claim', id);
      return over.claim?.(id, holder) ?? null;
    },
    giveBack: async (who, holder, until) => {
      note('giveBack', who.id);
      return (await over.giveBack?.(who, holder, until)) ?? null;
    },
    settle: async (id, end) => {
      journal.record({ is: 'settle', id, state: end.state });
      return over.settle?.(id, end) ?? true;
    },
    standing: async (id) => over.standing?.(id) ?? { state: null, owner: null },
    reopen: async () => 0,
  };
}

/** keeptyping's own HTTP client, closed when the test is over. */
export function openClient(over: Partial<Parameters<typeof createClient>[0]> = {}): Client {
  const client = createClient({ maxSockets: 10, idleMs: 5_000, harmlessTwice: false, ...over });
  onTestFinished(() => client.close());
  return client;
}

/** What a sender of webhooks says in keeptyping's name, as raw header lines. */
export const forged = ['Idempotency-Key', 'theirs', 'x-keeptyping-attempt', '7', 'X_Keeptyping_Other', 'x'];

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
