import type { Skipped } from '../config/index.ts';
import { type Console, createConsole, openBoard } from '../console/console.ts';
import type { ConsoleSource, Look, QueueRow } from '../console/wire.ts';
import { operatorGuard } from '../http/guard.ts';
import { keys } from '../redis/keys.ts';
import { readFailed, runAgain } from '../replies/failed.ts';
import { createConversations, viewNow } from '../typing/conversations.ts';
import { createOpenConversations } from '../typing/open-conversations.ts';
import type { Parts, QueueParts } from './parts.ts';
import { countJobs } from './workers.ts';

interface ConsoleWiring {
  queues: QueueParts;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
  /** Accounts that could not be loaded. */
  skipped: () => Skipped[];
}

/** The operator's console, for whoever has the control token; without one for nobody, but in the demo for this machine. */
export function openConsole(parts: Parts, { queues, ...known }: ConsoleWiring): Console {
  const { config, learned, clock } = parts;
  const { events, store, typing, replies, deliveries } = queues;
  const failed = { replies, deliveries };
  return createConsole({
    guard: operatorGuard(parts),
    guessed: { bearer: parts.guesses.at('control'), login: parts.guesses.at('login') },
    tokens: config.controlTokens,
    source: openSource(parts, { queues, ...known }),
    conversations: createConversations({ store, events, learned, clock, standing: parts.standing }),
    failed: { read: () => readFailed(failed), runAgain: (job, how) => runAgain(failed, job, how) },
    openQueues: () => openBoard([typing, replies]),
  });
}

function openSource(parts: Parts, { queues, standby, skipped }: ConsoleWiring): ConsoleSource {
  const { connections, learned, clock, log, roster, components, journal } = parts;
  const open = createOpenConversations(connections.fast);
  return {
    clock,
    log,
    roster,
    standby,
    accounts: () => [...roster.all(), ...components.all()],
    skipped,
    journal: journal.reader,
    standing: parts.standing,
    account: (place) => learned.of(place),
    tryAgain: (place) => learned.tryAgain(place),
    view: (platform, state) => viewNow({ learned, clock }, platform, { state, blockedUntil: 0 }),
    look: async (most): Promise<Look> => {
      const [longest, typing, replies, lives, journalFrom] = await Promise.all([
        open.read(most),
        countJobs(queues.typing),
        countJobs(queues.replies),
        connections.fast.exists(keys.heartbeat),
        journal.reader.startsAt(),
        learned.refresh(),
      ]);
      const sizes: QueueRow[] = [
        { name: 'typing', ...typing },
        { name: 'replies', ...replies },
      ];
      return { open: longest, queues: sizes, workerLives: lives === 1, journalFrom };
    },
  };
}
