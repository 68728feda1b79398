/** The console on a real server, over a source that a test moves by hand. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Console, type ConsoleOptions, createConsole } from '../../src/console/console.ts';
import type { Look, ConsoleSource } from '../../src/console/wire.ts';
import type { Notice } from '../../src/core/notice.ts';
import { type Clock, type Standing, standsWell } from '../../src/core/ports.ts';
import { createRoster } from '../../src/core/roster.ts';
import { initialState, type State } from '../../src/core/state.ts';
import { viewOf } from '../../src/core/view.ts';
import { createGuard, type GuardOptions } from '../../src/http/guard.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import { handClock, type HandClock, noon, realSleep } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { scriptedPlatform } from '../support/platforms.ts';

export const token = 'control-token-0123456789';

export interface Served {
  url: string;
  server: Server;
  console: Console;
  clock: HandClock;
  log: RecordedLog;
  /** What the next look finds; null: Redis is away. */
  world: {
    look: Look | null;
    looks: number;
    account: ReturnType<ConsoleSource['account']>;
    standing: Standing;
    /** Happens once, between the two readings of the journal of a look. */
    between: (() => void) | null;
  };
  /** Somebody waits, or nobody does any more. */
  open(user: string, changes?: Partial<State>): void;
  tell(...notices: Notice[]): void;
  close(): Promise<void>;
}

const platform = { ...scriptedPlatform(), account: 'shop' };
const on = { offUntil: 0, offCode: 0, remedy: '' };
const nothing: Look = { open: { count: 0, longest: [] }, queues: [], workerLives: true, journalFrom: null };

/** A second of the console's is 20 ms of a test's. */
const quickSleep: Clock['sleep'] = (ms, signal) => realSleep(ms / 50, signal);

export async function serveConsole(
  options: Partial<ConsoleOptions> & {
    guarded?: Omit<GuardOptions, 'sawPrevious'>;
    mode?: 'off';
    accounts?: string[];
    /** @default a fiftieth of the time */
    sleep?: Clock['sleep'];
  } = {},
): Promise<Served> {
  const { mode = platform.rules.mode, guarded = { tokens: [token], open: 'never' } } = options;
  const clock = handClock(noon, options.sleep ?? quickSleep);
  const log = recordLog();
  const world: Served['world'] = {
    look: nothing,
    looks: 0,
    account: on,
    standing: standsWell,
    between: null,
  };
  const records: JournalRecord[] = [];
  const reach = <Found>(found: Found): Promise<Found> =>
    world.look ? Promise.resolve(found) : Promise.reject(new Error('Redis is away'));
  const serve = (account: string) => ({
    platform: { ...platform, account, rules: { ...platform.rules, mode } },
    bot: null,
    apiBase: 'http://127.0.0.1:9',
  });
  const roster = createRoster([serve('shop')]);
  const source: ConsoleSource = {
    clock,
    log,
    roster,
    accounts: () => options.accounts?.map(serve) ?? roster.all(),
    standby: false,
    standing: () => world.standing,
    skipped: () => [{ account: 'wechat/broken', reason: 'token is missing' }],
    look: () => {
      world.looks += 1;
      return reach(world.look ?? nothing);
    },
    account: () => world.account,
    tryAgain: async () => {},
    view: (of, state) => viewOf(of.rules, state, { at: clock.now(), blockedUntil: 0, off: null }),
    journal: {
      newest: (count) => {
        world.between?.();
        world.between = null;
        return reach(records.slice(-count));
      },
      search: () => reach({ entries: records.toReversed(), before: null }),
      since: (id) => {
        const entries = records.filter((record) => Number.parseFloat(record.id) > Number.parseFloat(id));
        return reach({ entries, last: entries.at(-1)?.id ?? id, more: false });
      },
    },
  };
  const console = createConsole({
    guard: createGuard(guarded),
    tokens: guarded.tokens,
    source,
    conversations: {
      read: () => Promise.reject(new Error('away')),
      names: async (_, user) => [user],
      pause: async (_, __, seconds) => ({ until: seconds }),
      resume: async () => {},
    },
    failed: { read: async () => [], runAgain: async () => 'runs' },
    openQueues: async () => (_, response) => void response.end('queues'),
    page: () => new Map(),
    ...options,
  });
  const server = createServer((request, response) =>
    console.handler(request, response, () => response.writeHead(404).end('elsewhere')),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    console,
    clock,
    log,
    world,
    open: (user, changes = {}) => {
      const longest = (world.look ?? nothing).open.longest.filter((each) => each.conversation.user !== user);
      const next = {
        conversation: { channel: 'wechat', account: 'shop', user },
        state: { ...waiting(clock), ...changes },
      } as const;
      world.look = { ...nothing, open: { count: longest.length + 1, longest: [...longest, next] } };
    },
    tell: (...notices) => {
      clock.set(clock.now() + 1);
      for (const notice of notices)
        records.push({ id: `${clock.now()}-${records.length}`, notice, by: 'one' });
    },
    close: async () => {
      console.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function waiting(clock: HandClock): State {
  const turn = {
    id: 't',
    openedAt: clock.now(),
    sentAt: 0,
    phase: 'working',
    shown: false,
    renews: false,
  } as const;
  const rest = { hushed: false, interim: false, replied: null, darkUntil: 0, deliveries: 0, lapsesAt: null };
  return {
    ...initialState,
    turns: [{ ...turn, ...rest, litFrom: null, litMs: 0 }],
    lastInteractionAt: clock.now(),
  };
}
