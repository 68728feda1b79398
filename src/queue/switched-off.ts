import { z } from 'zod';
import type { Place } from '../core/roster.ts';
import { keys } from '../redis/script.ts';

const permission = z.object({ offUntil: z.number(), offCode: z.number() });

export interface SwitchedOffCommands {
  hgetall(key: string): Promise<Record<string, string>>;
}

/** The accounts whose typing is switched off now, with the platform's code for it. Rejects when Redis is out of reach. */
export async function readSwitchedOff(
  redis: SwitchedOffCommands,
  now: number,
): Promise<(Place & { code: number })[]> {
  const learned = await redis.hgetall(keys.accounts);
  return Object.entries(learned).flatMap(([field, json]) => {
    const [channel = '', account = '', aspect] = field.split('/');
    const read = aspect === 'permission' ? permission.safeParse(JSON.parse(json)) : null;
    return read?.success && now < read.data.offUntil ? [{ channel, account, code: read.data.offCode }] : [];
  });
}
