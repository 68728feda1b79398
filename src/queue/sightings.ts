/** When something was last seen of an account: a hash of times, written at most hourly per process. */
import type { Clock, Log } from '../core/ports.ts';
import type { Place, Saw, Sight, Sights } from '../core/roster.ts';
import { keys } from '../redis/script.ts';

export interface SightingsCommands {
  hset(key: string, field: string, value: string): Promise<unknown>;
}

const noteEvery = 60 * 60_000;
/** A fault of Redis must not make a write of every push. */
const minute = 60_000;

export function createSightings({
  redis,
  clock,
  log,
}: {
  redis: SightingsCommands;
  clock: Pick<Clock, 'now'>;
  log: Log;
}): Saw {
  const due = new Map<string, number>();
  const note = (field: string): void => {
    const now = clock.now();
    if (now < (due.get(field) ?? 0)) return;
    due.set(field, now + noteEvery);
    redis.hset(keys.seen, field, String(now)).catch((error: unknown) => {
      due.set(field, now + minute);
      log.debug({ field, error }, 'What was seen of an account was not noted.');
    });
  };
  return (place, sights) => sights.forEach((sight) => note(fieldOf(place, sight)));
}

/** What the hash says of one account. */
export function sightsOf(hash: Readonly<Record<string, string>>, place: Place): Sights {
  const start = fieldOf(place, '');
  const own = Object.entries(hash).filter(([field]) => field.startsWith(start));
  return Object.fromEntries(own.map(([field, at]) => [field.slice(start.length), Number(at)]));
}

function fieldOf({ channel, account }: Place, sight: Sight | ''): string {
  return `${channel}/${account}/${sight}`;
}
