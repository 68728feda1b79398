import type { Queue } from 'bullmq';
import { openBoard } from '../console/board.ts';
import { createConsole, type Console } from '../console/console.ts';
import type { Look, Source } from '../console/ports.ts';
import type { QueueRow } from '../console/wire.ts';
import type { Skipped } from '../config/index.ts';
import { createGuard } from '../http/guard.ts';
import { createConversations, viewNow } from '../queue/conversations.ts';
import { readFailed, runAgain } from '../queue/failed.ts';
import { keys } from '../queue/keys.ts';
import { createOpenConversations } from '../queue/open.ts';
import { controlToken } from './control.ts';
import type { createQueueParts, Parts } from './parts.ts';

export interface ConsoleWiring {
  queues: ReturnType<typeof createQueueParts>;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
  /** Accounts that could not be loaded. */
  skipped: () => Skipped[];
}

/** The operator's console, for whoever has the control token; without one for this machine, in production for nobody. */
export function openConsole(parts: Parts, { queues, ...known }: ConsoleWiring): Console {
  const { config, accounts, clock, saw } = parts;
  const { events, store, typing, replies, deliveries } = queues;
  const failed = { replies, deliveries };
  return createConsole({
    guard: createGuard({
      tokens: config.controlTokens,
      open: config.production ? 'never' : 'loopback',
      sawPrevious: () => saw(controlToken, ['previous-secret']),
    }),
    tokens: config.controlTokens,
    source: openSource(parts, { queues, ...known }),
    conversations: createConversations({ store, events, accounts, clock }),
    failed: { read: () => readFailed(failed), runAgain: (job, how) => runAgain(failed, job, how) },
    openQueues: () => openBoard([typing, replies]),
  });
}

function openSource(parts: Parts, { queues, standby, skipped }: ConsoleWiring): Source {
  const { connections, accounts, clock, log, roster, components, journal } = parts;
  const open = createOpenConversations(connections.fast);
  return {
    clock,
    log,
    roster,
    standby,
    accounts: () => [...roster.all(), ...components.all()],
    skipped,
    journal: journal.reader,
    account: (place) => accounts.of(place),
    view: (platform, state) => viewNow({ accounts, clock }, platform, { state, blockedUntil: 0 }),
    look: async (most): Promise<Look> => {
      const [longest, typing, replies, lives, journalFrom] = await Promise.all([
        open.read(most),
        countOf(queues.typing, 'typing'),
        countOf(queues.replies, 'replies'),
        connections.fast.exists(keys.heartbeat),
        journal.reader.startsAt(),
        accounts.refresh(),
      ]);
      return { open: longest, queues: [typing, replies], workerLives: lives === 1, journalFrom };
    },
  };
}

async function countOf(queue: Queue, name: QueueRow['name']): Promise<QueueRow> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
  const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0 } = counts;
  return { name, waiting: waiting + prioritized, active, delayed, failed };
}
