/** What was said at run time about typing behind third-party platforms: a record of each in Redis, read by all processes. */
import { z } from 'zod';
import type { Log } from '../core/ports.ts';
import { fractionOf } from '../core/roster.ts';
import type { Rules } from '../core/rules.ts';
import { keys } from '../redis/keys.ts';
import { readStored } from '../redis/stored.ts';

interface ComponentTypingCommands {
  get(key: string): Promise<string | null>;
  mget(...keys: string[]): Promise<(string | null)[]>;
  set(key: string, value: string): Promise<unknown>;
}

export interface ComponentTypings {
  /** Reads all records; called every second or so. Rejects when Redis is out of reach: what was known stays. */
  refresh(): Promise<void>;
  /** As last known; before the first reading the template's word holds. */
  of(component: string): ComponentTyping;
  /** As it stands in Redis. Rejects when Redis is out of reach. */
  read(component: string): Promise<ComponentTyping>;
  /** Rejects when Redis is out of reach. */
  write(component: string, typing: ComponentTyping): Promise<void>;
}

const record = z
  .object({
    v: z.literal(1),
    typing: z.discriminatedUnion('is', [
      z.object({ is: z.enum(['template', 'all', 'none']) }),
      z.object({ is: z.literal('list'), appids: z.array(z.string()) }),
      z.object({ is: z.literal('share'), percent: z.number() }),
    ]),
    accounts: z.record(z.string(), z.enum(['on', 'off'])).default({}),
  })
  .transform(({ typing, accounts }): ComponentTyping => ({ typing, accounts }));

interface ComponentTypingsOptions {
  redis: ComponentTypingCommands;
  components: readonly string[];
  log: Log;
}

export function createComponentTypings({
  redis,
  components,
  log,
}: ComponentTypingsOptions): ComponentTypings {
  const known = new Map<string, ComponentTyping>();
  const unreadable = new Set<string>();
  const names = components.map((name) => keys.component(name));
  const of = (name: string): ComponentTyping => known.get(name) ?? untold;
  const learn = (name: string, text: string | null): ComponentTyping => {
    const typing = text === null ? untold : readStored(record, text);
    if (typing !== null) known.set(name, typing);
    // A later release's record, or a spoilt one: what was known before is better than nothing. Said once.
    else if (!unreadable.has(name))
      log.warn({ component: name }, 'Its record cannot be read: PUT its typing anew.');
    if (typing === null) unreadable.add(name);
    else unreadable.delete(name);
    return of(name);
  };
  return {
    async refresh() {
      if (names.length === 0) return;
      const values = await redis.mget(...names);
      components.forEach((name, index) => learn(name, values[index] ?? null));
    },
    of,
    read: async (name) => learn(name, await redis.get(keys.component(name))),
    async write(name, typing) {
      await redis.set(keys.component(name), JSON.stringify({ v: 1, ...typing }));
      known.set(name, typing);
    },
  };
}

/** For which accounts behind a component typing is on: said at run time, decided by every process alike. */

/** What holds for accounts that are not named one by one. */
export type Reach =
  /** As the component's template says. */
  | { is: 'template' }
  | { is: 'all' }
  | { is: 'none' }
  | { is: 'list'; appids: readonly string[] }
  /** So many of a hundred, always the same ones: a higher share keeps those that a lower one had. */
  | { is: 'share'; percent: number };

export interface ComponentTyping {
  typing: Reach;
  /** By AppID; wins over `typing`. */
  accounts: Readonly<Record<string, 'on' | 'off'>>;
}

const untold: ComponentTyping = { typing: { is: 'template' }, accounts: {} };

type Mode = Rules['mode'];

/** The account's mode. What is switched on where the template is off types continuously. */
export function modeOf({ typing, accounts }: ComponentTyping, appId: string, template: Mode): Mode {
  const own = Object.hasOwn(accounts, appId) ? accounts[appId] : undefined;
  const on = own === undefined ? isReached(typing, appId) : own === 'on';
  if (on === null) return template;
  if (!on) return 'off';
  return template === 'off' ? 'continuous' : template;
}

/** null: the template says. */
function isReached(typing: Reach, appId: string): boolean | null {
  switch (typing.is) {
    case 'template':
      return null;
    case 'all':
      return true;
    case 'none':
      return false;
    case 'list':
      return typing.appids.includes(appId);
    case 'share':
      return fractionOf(appId) * 100 < typing.percent;
  }
}
