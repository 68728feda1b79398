import type { Assurance } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { idOf, type Place } from '../core/roster.ts';
import { keys } from '../redis/keys.ts';

/** Whose pushes were signed or encrypted once, and have to be from then on: known to all processes, and for ever. */

interface AssuranceCommands {
  hgetall(key: string): Promise<Record<string, string>>;
  hset(key: string, field: string, value: string): Promise<unknown>;
  hdel(key: string, field: string): Promise<unknown>;
}

const told =
  "This account's pushes are signed or encrypted: from now on none is taken that is not. NXCLOUD_VERIFY_CALLBACKS=off, or WECHAT_ENCRYPTION=any, ends that.";

export interface Assurances {
  /** What is known of one account. `isOff`: nothing is to be, and what was is forgotten. */
  of(place: Place, how: { isOff: boolean }): Assurance;
  /** Reads what other processes have seen, and writes what Redis has not taken yet; called every few seconds. */
  refresh(): Promise<void>;
}

export function createAssurances({
  redis,
  clock,
  log,
}: {
  redis: AssuranceCommands;
  clock: Pick<Clock, 'now'>;
  log: Log;
}): Assurances {
  // A process goes on asking, whatever becomes of Redis.
  const assured = new Set<string>();
  const off = new Set<string>();
  const unsaved = new Set<string>();
  const save = async (id: string): Promise<void> => {
    unsaved.add(id);
    await redis.hset(keys.assured, id, String(clock.now()));
    unsaved.delete(id);
  };
  return {
    of: (place, { isOff }) => {
      const id = idOf(place);
      if (isOff) [assured, unsaved].forEach((ids) => ids.delete(id));
      off[isOff ? 'add' : 'delete'](id);
      return {
        isAsked: assured.has.bind(assured, id),
        note: () => {
          if (isOff || assured.has(id)) return;
          assured.add(id);
          log.info(place, told);
          save(id).catch((error: unknown) => log.debug({ ...place, error }, 'Redis is told of it later.'));
        },
      };
    },
    refresh: async () => {
      for (const id of unsaved) await save(id);
      for (const id of Object.keys(await redis.hgetall(keys.assured))) {
        if (off.has(id)) await redis.hdel(keys.assured, id);
        else assured.add(id);
      }
    },
  };
}
