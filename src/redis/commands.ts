/** The commands that keeptyping uses, its own and BullMQ's; whether Redis takes each, and what does not work without it. */
import type { Redis } from 'ioredis';
import type { Log, Standing } from '../core/ports.ts';
import { said, type Said, saidTogether, saidWithRemedy } from '../core/said.ts';
import { closeConnection } from './connect.ts';
import { errorWord, isPassing } from './errors.ts';
import { type Keys, keys as firstKeys } from './keys.ts';
import type { Health } from './watchdog.ts';

/** What a command is needed for, the most important first. */
export type Use = 'scripts' | 'jobs' | 'shards' | 'channels' | 'clock' | 'records';

/** What does not work with this Redis. */
export interface Lack {
  use: Use;
  commands: readonly string[];
  says: Said;
  remedy: Said;
}

/** Not all is done then: else it only takes other ways. */
export function isSerious(use: Use): boolean {
  return use === 'scripts' || use === 'jobs' || use === 'shards';
}

interface Refused {
  use: Use;
  command: string;
  error: string;
}

type Tried = readonly [command: string, ...args: (string | number)[]];

/** A string stands at the key: what would write anything else is refused by its type, and only then. */
const directOf = ({
  probe: key,
  state,
  web,
}: Keys): Readonly<Record<Exclude<Use, 'shards'>, readonly Tried[]>> => ({
  scripts: [
    ['SET', key, '1', 'PX', 10_000],
    ['GET', key],
    ['DEL', state('probe')],
    ['EXISTS', key],
    ['MGET', key],
    ['HMGET', key, 'x'],
    ['HGET', key, 'x'],
    ['ZADD', key, 0, 'x'],
    ['ZREM', key, 'x'],
    ['ZSCORE', key, 'x'],
    ['ZCOUNT', key, 0, 0],
    ['LLEN', key],
    ['EVALSHA', '0'.repeat(40), 1, key],
    ['EVAL', 'return 1', 1, key],
  ],
  jobs: [['BZPOPMIN', key, 0.01]],
  clock: [['TIME']],
  channels: [
    ['PUBLISH', web('probe'), ''],
    ['SUBSCRIBE', web('probe')],
  ],
  records: [
    ['HGETALL', key],
    ['HKEYS', key],
    ['HSET', key, 'x', ''],
    ['ZRANGE', key, 0, 0],
    ['ZCARD', key],
    ['XRANGE', key, '-', '+', 'COUNT', 1],
    ['XREVRANGE', key, '+', '-', 'COUNT', 1],
    ['XDEL', key, '0-1'],
    ['XTRIM', key, 'MAXLEN', 1],
    ['SCAN', '0', 'COUNT', 1],
  ],
});

/** What scripts call, ours and those of BullMQ that are used here. A user of Redis needs a right to each; a proxy sees none. */
export const scriptedOf = ({ probe: key, state }: Keys): readonly Tried[] => [
  ['DEL', state('probe')],
  ['EXISTS', key],
  ['GET', key],
  ['HDEL', key, 'x'],
  ['HEXISTS', key, 'x'],
  ['HGET', key, 'x'],
  ['HGETALL', key],
  ['HINCRBY', key, 'x', 1],
  ['HKEYS', key],
  ['HLEN', key],
  ['HMGET', key, 'x'],
  ['HMSET', key, 'x', ''],
  ['HSET', key, 'x', ''],
  ['INCR', key],
  ['LINDEX', key, 0],
  ['LLEN', key],
  ['LPOP', key],
  ['LPOS', key, 'x'],
  ['LPUSH', key, 'x'],
  ['LRANGE', key, 0, 0],
  ['LREM', key, 0, 'x'],
  ['LSET', key, 0, 'x'],
  ['LTRIM', key, 0, 0],
  ['PEXPIRE', key, 10_000],
  ['PTTL', key],
  ['RPOP', key],
  ['RPOPLPUSH', key, key],
  ['SADD', key, 'x'],
  ['SCARD', key],
  ['SET', key, '1', 'PX', 10_000],
  ['SMEMBERS', key],
  ['SREM', key, 'x'],
  ['XADD', key, '*', 'x', ''],
  ['XTRIM', key, 'MAXLEN', 1],
  ['ZADD', key, 0, 'x'],
  ['ZCARD', key],
  ['ZCOUNT', key, 0, 0],
  ['ZPOPMIN', key],
  ['ZRANGE', key, 0, 0],
  ['ZRANGEBYSCORE', key, 0, 0],
  ['ZREM', key, 'x'],
  ['ZREMRANGEBYRANK', key, 0, 0],
  ['ZREMRANGEBYSCORE', key, 0, 0],
  ['ZREVRANGE', key, 0, 0],
  ['ZREVRANGEBYSCORE', key, 0, 0],
  ['ZSCORE', key, 'x'],
];

/** A right to some keys and channels is none to those of another shard. */
const elsewhere = ({ probe: key, web }: Keys): readonly Tried[] => [
  ['SET', key, '1', 'PX', 10_000],
  ['DEL', key],
  ['PUBLISH', web('probe'), ''],
];

/** Each is called for itself: one refusal does not hide the others. */
const callEach = `
local answers, at = {}, 1
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local answer = redis.pcall(unpack(ARGV, at + 1, at + count))
  answers[#answers + 1] = type(answer) == 'table' and answer.err or ''
  at = at + count + 1
end
return answers`;

/** The command is known and allowed: it was not to do anything. */
const harmless = ['WRONGTYPE', 'NOSCRIPT'];

/**
 * Tries every command; what it writes is gone when it is done.
 * @param others The further shards on the same Redis.
 * @param visit Opens a connection for it; anew where one is closed on account of a command, as some proxies do.
 * @throws Redis's own error where it takes no commands now, and the system's where it is out of reach.
 */
export async function findLacks(
  visit: () => Promise<Redis>,
  keys: Keys = firstKeys,
  others: readonly Keys[] = [],
): Promise<Lack[]> {
  const direct = directOf(keys);
  let redis = await visit();
  const ask = async (use: Use, tried: Tried, again = true): Promise<Refused[]> => {
    const [command, ...args] = tried;
    try {
      await redis.call(command, ...args);
      return [];
    } catch (error) {
      if (redis.status === 'ready') return refusalOf(error, { use, command });
      redis = await visit();
      return again ? ask(use, tried, false) : [{ use, command, error: 'connection closed' }];
    }
  };
  const refused: Refused[] = [];
  try {
    for (const [use, all] of Object.entries(direct) as [Use, readonly Tried[]][]) {
      // A subscribed connection takes nothing else: it is the last.
      if (use !== 'channels') for (const tried of all) refused.push(...(await ask(use, tried)));
    }
    if (!refused.some(({ command }) => command === 'EVAL')) refused.push(...(await tryInScript(redis, keys)));
    await redis.call('DEL', keys.probe).catch(() => {});
    for (const tried of others.flatMap(elsewhere)) refused.push(...(await ask('shards', tried)));
    for (const tried of direct.channels) refused.push(...(await ask('channels', tried)));
    return lacksOf(refused, keys);
  } finally {
    await closeConnection(redis);
  }
}

async function tryInScript(redis: Redis, keys: Keys): Promise<Refused[]> {
  const scripted = scriptedOf(keys);
  const args = scripted.flatMap((tried) => [tried.length, ...tried]);
  const answers: unknown = await redis.eval(callEach, 1, keys.probe, ...args);
  if (!Array.isArray(answers)) return [];
  return scripted.flatMap(([command], index) => {
    const error: unknown = answers[index];
    return typeof error === 'string' && error !== ''
      ? refusalOf(Object.assign(new Error(error), { name: 'ReplyError' }), { use: 'scripts', command })
      : [];
  });
}

function refusalOf(error: unknown, of: Pick<Refused, 'use' | 'command'>): Refused[] {
  const word = errorWord(error);
  const isAnswer = error instanceof Error && error.name === 'ReplyError';
  if (!isAnswer || isPassing(error)) throw error;
  return harmless.includes(word) ? [] : [{ ...of, error: word }];
}

function lacksOf(refused: readonly Refused[], { prefix }: Keys): Lack[] {
  if (refused.some(({ error }) => error === 'MOVED')) return [cluster];
  return (Object.keys(without) as Use[]).flatMap((use) => {
    const these = refused.filter((each) => each.use === use);
    const commands = [...new Set(these.map(({ command }) => command))];
    if (commands.length === 0) return [];
    const says = refusedOf(commands, { word: these[0]?.error ?? '', lost: without[use] });
    return {
      use,
      commands,
      says,
      remedy: use === 'shards' ? allow([], '{keeptyping*') : allow(commands, `${prefix}:*`),
    };
  });
}

function refusedOf(commands: readonly string[], how: { word: string; lost: Said }): Said {
  const named = commands.slice(0, 8).join(', ');
  const more = commands.length - 8;
  if (more > 0)
    return said('{commands} and {more} more are refused ({word}): {lost}', { commands: named, more, ...how });
  return commands.length > 1
    ? said('{commands} are refused ({word}): {lost}', { commands: named, ...how })
    : said('{command} is refused ({word}): {lost}', { command: named, ...how });
}

/** https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ */
function allow(commands: readonly string[], pattern: string): Said {
  const each = commands.length > 8 ? ['+@all'] : commands.map((command) => `+${command.toLowerCase()}`);
  const rights = [`~${pattern} &${pattern}`, ...each].join(' ');
  return said(
    'Give this user of Redis {rights}; where a proxy stands between, let REDIS_URL name Redis itself.',
    { rights },
  );
}

const without: Readonly<Record<Use, Said>> = {
  scripts: said(
    'Redis counts as away: nothing is typed, and a message lives only in the process that took it',
  ),
  jobs: said(
    'this process cannot run jobs: it makes no typing calls and takes over no message that another one leaves',
  ),
  shards: said(
    'on the shards beyond the first nothing is typed, and a message there lives only in the process that took it',
  ),
  clock: said("each process goes by its own machine's clock: keep those right by NTP"),
  channels: said('an answer for a connection that another process holds is looked for, which is slower'),
  records: said('what is learned of accounts, the journal and the console are incomplete'),
};

const cluster: Lack = {
  use: 'scripts',
  commands: [],
  says: said(
    "this node of a Redis Cluster does not hold keeptyping's keys (MOVED), and another one is not looked for: {lost}",
    { lost: without.scripts },
  ),
  remedy: said(
    'Let REDIS_URL begin with redis+cluster://, or rediss+cluster://: then the node that holds them is found.',
  ),
};

/** What does not work with the Redis of this process. */
export interface Commands {
  lacks: ReadonlySet<Use>;
  /** A sentence for each, for who asks whether this process is ready. */
  reasons(): Said[];
  /** Tries them anew. Never rejects. */
  look(): Promise<void>;
  /** Called back when something works no more, or again. */
  onChange(listener: () => void): void;
  close(): void;
}

/** How Redis stands, as all that tell it say: what its connections have met, else what it refuses. */
export function standingOf(
  health: Pick<Health, 'standing'>,
  commands: Pick<Commands, 'lacks' | 'reasons'>,
): Standing {
  const now = health.standing();
  const isRefusing = now.is === 'ok' && commands.lacks.size > 0;
  return isRefusing ? { is: 'refusing', says: saidTogether(...commands.reasons()) } : now;
}

/** What is missing is looked for again after so long (ms). */
const lookAgain = 60_000;

interface CommandsOptions {
  visit: () => Promise<Redis>;
  /** @default the first shard's */
  keys?: Keys;
  /** The further shards on the same Redis, as they are by then. @default there are none */
  others?: readonly Keys[];
  log: Log;
}

/** One line for each thing that does not work, and one when it does. */
export function createCommands({ visit, keys, others, log }: CommandsOptions): Commands {
  let found: readonly Lack[] = [];
  const lacks = new Set<Use>();
  const listeners: (() => void)[] = [];
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | null = null;
  const tell = (now: readonly Lack[]): void => {
    const lost = now.filter(({ use }) => !lacks.has(use));
    const gained = [...lacks].filter((use) => !now.some((lack) => lack.use === use));
    for (const { use, commands, says, remedy } of lost)
      log[isSerious(use) ? 'error' : 'warn']({ use, commands }, `Redis: ${says}. ${remedy}`);
    for (const use of gained) log.info({ use }, 'Redis takes the commands that it refused.');
    found = now;
    lacks.clear();
    for (const { use } of now) lacks.add(use);
    if (lost.length + gained.length > 0) listeners.forEach((listener) => listener());
  };
  const tryAll = async (): Promise<void> => {
    clearTimeout(timer);
    let isOver = false;
    try {
      const now = await findLacks(visit, keys, others);
      if (isClosed) return;
      tell(now);
      isOver = now.length === 0;
    } catch (error) {
      log.debug({ error }, 'The commands of Redis are tried later.');
    }
    if (!isOver && !isClosed) timer = setTimeout(() => void look(), lookAgain).unref();
  };
  const look = (): Promise<void> => (looking ??= tryAll().finally(() => (looking = null)));
  return {
    lacks,
    reasons: () => found.map(({ says, remedy }) => saidWithRemedy(says, remedy)),
    look,
    onChange: (listener) => void listeners.push(listener),
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
