import type { Skipped } from '../config/index.ts';
import { type Console, createConsole, openBoard } from '../console/console.ts';
import type { ConsoleSource, Look, QueueRow } from '../console/wire.ts';
import { operatorGuard } from '../http/guard.ts';
import { keys } from '../redis/keys.ts';
import { readFailed, runAgain } from '../replies/failed.ts';
import { createConversations, viewNow } from '../typing/conversations.ts';
import { createOpenConversations } from '../typing/open-conversations.ts';
import type { Parts } from './parts.ts';
import { countJobs } from './workers.ts';

interface ConsoleWiring {
  /** This process runs the queues while no worker lives. */
  standby: boolean;
  /** Accounts that could not be loaded. */
  skipped: () => Skipped[];
}

/** The operator's console, for whoever has the control token; without one for nobody, but in the demo for this machine. */
export function openConsole(parts: Parts, known: ConsoleWiring): Console {
  const { config, learned, clock, shards } = parts;
  const { events, store } = parts.on('fast');
  const queues = () => shards.all().map((shard) => shard.on('fast'));
  return createConsole({
    guard: operatorGuard(parts),
    guessed: { bearer: parts.guesses.at('control'), login: parts.guesses.at('login') },
    tokens: config.controlTokens,
    source: openSource(parts, known),
    conversations: createConversations({ store, events, learned, clock, standing: parts.standing }),
    failed: { read: () => readFailed(queues()), runAgain: (job, how) => runAgain(queues(), job, how) },
    openQueues: () => openBoard(queues().map(({ typing, replies }) => [typing, replies])),
  });
}

function openSource(parts: Parts, { standby, skipped }: ConsoleWiring): ConsoleSource {
  const { connections, learned, clock, log, roster, components, journal, shards } = parts;
  const open = createOpenConversations(shards.spread('fast'));
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
      const queues = shards.all().map((shard) => shard.on('fast'));
      const [longest, typing, replies, lives, journalFrom] = await Promise.all([
        open.read(most),
        countJobs(queues.map((each) => each.typing)),
        countJobs(queues.map((each) => each.replies)),
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
