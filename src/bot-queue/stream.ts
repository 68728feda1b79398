/** The event stream that BullMQ keeps for each queue: https://docs.bullmq.io/guide/events */

/** The Redis commands that read it, and jobs. None of them writes. */
export interface StreamCommands {
  xread(
    ...args: ['COUNT', number, 'BLOCK', number, 'STREAMS', string, string]
  ): Promise<[key: string, entries: StreamEntry[]][] | null>;
  xrange(key: string, start: string, end: string, count: 'COUNT', n: number): Promise<StreamEntry[]>;
  xrevrange(key: string, end: string, start: string, count: 'COUNT', n: number): Promise<StreamEntry[]>;
  hget(key: string, field: 'data'): Promise<string | null>;
}

type StreamEntry = [id: string, fields: string[]];

export interface BotEvent {
  /** `<ms since 1970 on the bot's Redis>-<number>`. */
  id: string;
  /** What it says of the job. A retry, a delay and a stall leave a job `alive`; null: nothing of interest. */
  is: 'alive' | 'completed' | 'failed' | 'removed' | null;
  jobId: string;
  /** Of a completed job, as JSON. */
  returnValue: string | null;
}

/** A Redis without the stream has had no event yet. */
const beforeAll = '0-0';

/** So many are read at a time: they hold return values. */
const batch = 100;

/** How long a read waits for an event when all is well, in ms. */
export const readWait = 10_000;

/** The events after the one with this id, as soon as there are any; none after `waitMs` without one. */
export async function readEvents(
  redis: StreamCommands,
  key: string,
  { after, waitMs }: { after: string; waitMs: number },
): Promise<BotEvent[]> {
  const streams = await redis.xread('COUNT', batch, 'BLOCK', waitMs, 'STREAMS', key, after);
  return (streams?.[0]?.[1] ?? []).map(toEvent);
}

function toEvent([id, fields]: StreamEntry): BotEvent {
  const valueOf = (name: string): string | null => {
    // A value may be spelt like a name: names stand at even places.
    const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
    return at < 0 ? null : (fields[at + 1] ?? null);
  };
  const is = eventKind(valueOf('event'), valueOf('prev'));
  return { id, is, jobId: valueOf('jobId') ?? '', returnValue: valueOf('returnvalue') };
}

/** BullMQ says `failed` of the last try alone: one that is retried is `delayed` or `waiting`. */
function eventKind(event: string | null, before: string | null): BotEvent['is'] {
  switch (event) {
    case 'added':
    case 'waiting':
    case 'active':
      return 'alive';
    case 'completed':
    case 'failed':
      return event;
    case 'removed':
      return before === 'completed' || before === 'failed' ? null : event;
    default:
      return null;
  }
}

/** In ms since 1970, on the bot's Redis. */
export function timeOf({ id }: Pick<BotEvent, 'id'>): number {
  return partsOf(id)[0];
}

/**
 * The id to read on from.
 * @param cursor The last event that was handled; null: none ever was, and what is past stays past.
 * @returns `gap`: events after the cursor may have been trimmed unread.
 */
export async function beginOf(
  redis: StreamCommands,
  key: string,
  cursor: string | null,
): Promise<{ from: string; gap: boolean }> {
  const [last] = await redis.xrevrange(key, '+', '-', 'COUNT', 1);
  if (cursor === null) return { from: last?.[0] ?? beforeAll, gap: false };
  // Another Redis, or one that lost its end: the cursor would wait for a time that may be far off.
  if (last && isBefore(last[0], cursor)) return { from: last[0], gap: false };
  const [first] = await redis.xrange(key, '-', '+', 'COUNT', 1);
  return { from: cursor, gap: cursor !== beforeAll && first !== undefined && isBefore(cursor, first[0]) };
}

function isBefore(id: string, other: string): boolean {
  const [time, number] = partsOf(id);
  const [otherTime, otherNumber] = partsOf(other);
  return time === otherTime ? number < otherNumber : time < otherTime;
}

function partsOf(id: string): [number, number] {
  const [time, number] = id.split('-');
  return [Number(time), Number(number)];
}
