import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { RequestHandler } from 'express';
import type { Console } from '../console/console.ts';
import type { Platform } from '../core/platform.ts';
import { idOf, type Place } from '../core/roster.ts';
import { createApp, type Readiness, webhooks } from '../http/app.ts';
import { createHolds } from '../http/holds.ts';
import type { WebDeps } from '../http/task.ts';
import type { WebhookDeps } from '../http/webhook.ts';
import { keys } from '../redis/script.ts';
import type { Direct } from '../replies/direct.ts';
import { createIntake, createMessageIndex } from '../replies/intake.ts';
import type { EventQueue } from '../typing/events.ts';
import { storedPushLimit } from '../typing/jobs.ts';
import { faultyRecords } from './account-register.ts';
import { openConsole } from './console.ts';
import { openControl } from './control.ts';
import { openGateway, withGateway } from './gateway.ts';
import { openMetricsPage } from './metrics-page.ts';
import { createQueueParts, type Parts } from './parts.ts';
import type { Releases } from './releases.ts';

export interface WebAppParts {
  readiness: Readiness;
  direct: Direct;
  releases: Releases;
  page: RequestHandler | null;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
}

export interface WebApp {
  listener: RequestListener;
  console: Pick<Console, 'close'>;
}

/** The web's routes on the connection that fails fast. */
export function createWebApp(parts: Parts, options: WebAppParts): WebApp {
  const { readiness, direct, releases, page, standby } = options;
  const queues = createQueueParts(parts, parts.connections.fast, releases);
  const { later, events: laterEvents } = createLater(parts, releases);
  const isSkipped = (place: Place): boolean =>
    withRecords(parts, readiness).skipped.some(({ account }) => account === idOf(place));
  const deps = createWebhookDeps(parts, { queues, later, direct, isSkipped });
  const { log } = parts;
  const { events, store } = queues;
  const control = openControl(parts, { events, store, skipped: readiness.skipped });
  const console = openConsole(parts, {
    queues,
    standby,
    skipped: () => withRecords(parts, readiness).skipped,
  });
  const { names: components } = parts.components;
  const pages = { metrics: openMetricsPage(parts), control, console: console.handler, page };
  const routes = { ...tracedWebhooks(parts, deps), ...pages, components };
  const app = createApp({ log, readiness: () => withRecords(parts, readiness), ...routes });
  const gateway = openGateway(parts, { events, later: laterEvents });
  return { listener: withGateway(gateway, app), console };
}

interface WebhookParts extends Pick<WebhookDeps, 'later' | 'direct' | 'isSkipped'> {
  queues: ReturnType<typeof createQueueParts>;
}

function createWebhookDeps(parts: Parts, { queues, ...ways }: WebhookParts): WebhookDeps {
  const { connections, clock, log, observe, saw, accounts, config, roster, served } = parts;
  const { replies, events, store, deliveries } = queues;
  const index = config.botQueue ? createMessageIndex(connections.fast) : undefined;
  const name = randomUUID();
  const holds = createHolds(name, deliveries);
  listenForOffers(parts, name, (holder) => holds.offered(holder));
  return {
    ...ways,
    holds,
    deliveries,
    clock,
    log,
    observe,
    saw,
    storedPushLimit,
    intake: createIntake({ replies, events, store, clock, index }),
    reachesRedis: () => connections.fast.status === 'ready',
    holdMs: config.holdMs,
    send: parts.clients.bot.send,
    isMute: async (platform: Platform) => {
      await accounts.refresh();
      return accounts.isMute(platform);
    },
    accounts: roster,
    strangers: new Set<string>(),
    mayCome: () => config.accountsKeys.length > 0 && !served.records.isLoaded(),
  };
}

/** Accounts that were set at run time may be faulty too. */
function withRecords(parts: Parts, readiness: Readiness): Readiness {
  return { ...readiness, skipped: [...readiness.skipped, ...faultyRecords(parts)] };
}

function tracedWebhooks({ tracing }: Parts, deps: WebhookDeps): ReturnType<typeof webhooks> {
  const { receive, handshake } = webhooks(deps);
  return { receive: tracing?.push(receive) ?? receive, handshake };
}

const waitingLimit = 10_000;

/** The same moves on the connection that waits for Redis. */
function createLater(
  parts: Parts,
  releases: Releases,
): { later: WebDeps['later']; events: Pick<EventQueue, 'tell'> } {
  const { replies, events, store, deliveries } = createQueueParts(parts, parts.connections.jobs, releases);
  const intake = createIntake({ replies, events, store, clock: parts.clock });
  // A Redis that stands still for long must not fill the memory with what waits for it.
  const waiting = new Set<Promise<unknown>>();
  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting.size >= waitingLimit) throw new Error('too much waits for Redis');
    const promise = work();
    waiting.add(promise);
    return promise.finally(() => waiting.delete(promise));
  };
  return {
    later: {
      giveBack: (id, holder) => bounded(() => deliveries.giveBack(id, holder)),
      forfeit: (id) => bounded(() => deliveries.forfeit(id)),
      resume: (id) => bounded(() => deliveries.resume(id)),
      redeliver: (platform, received) => intake.redeliver(platform, received),
    },
    events: { tell: (...told) => bounded(() => events.tell(...told)) },
  };
}

function listenForOffers({ connections, log }: Parts, name: string, offered: (holder: string) => void): void {
  const subscriber = connections.subscriber();
  subscriber.on('message', (_, holder: string) => offered(holder));
  subscriber
    .subscribe(keys.web(name))
    .catch((error: unknown) => log.warn({ error }, 'Offers of answers cannot be heard.'));
}
