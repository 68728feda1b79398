import { z } from 'zod';
import type { Notice, Observe } from '../core/notice.ts';
import type { Outcome, Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { ages, idOf, type Place, type Saw, type Sight, type Sights } from '../core/roster.ts';
import type { Rules } from '../core/rules.ts';
import type { EndedTurn } from '../core/state.ts';
import { jsonOf } from '../core/wire.ts';
import { keys } from '../redis/keys.ts';
import { createOnce, readStored, schemaOf } from '../redis/stored.ts';

interface LearnedCommands {
  hgetall(key: string): Promise<Record<string, string>>;
  hset(key: string, field: string, value: string): Promise<unknown>;
}

export interface LearnedAccounts {
  /** Reads what other processes have learned; called every second or so. */
  refresh(): Promise<void>;
  /** The account's rules as they stand now. */
  rules(platform: Platform): Rules;
  of(place: Place): Learned;
  /** A typing or send call said that the account may not. */
  switchOff(platform: Platform, why: Extract<Outcome, { is: 'account-off' }>): Promise<void>;
  /** The account may again. */
  switchOn(platform: Platform): Promise<void>;
  mute(platform: Platform): Promise<void>;
  isMute(platform: Platform): boolean;
  noteEnds(platform: Platform, ended: EndedTurn[]): Promise<void>;
}

type Aspect = 'permission' | 'habit';

const hour = 60 * 60_000;

interface LearnedOptions {
  redis: LearnedCommands;
  clock: Clock;
  log: Log;
  /** Accounts whose `afterAck` is `auto`. @default as the platform says */
  isAuto?: (platform: Platform) => boolean;
  /** Is told by what turns end, also those whose message has not been judged yet. @default nobody */
  saw?: Saw;
  /** Is told when typing is switched off, and on again. @default nobody */
  observe?: Observe | undefined;
}

export function createLearned(options: LearnedOptions): LearnedAccounts {
  const { redis, clock, log, saw, isAuto = ({ learnsAfterAck }) => learnsAfterAck === true } = options;
  let known: Record<string, Learned> = {};
  const isNew = createOnce();
  const of = (place: Place): Learned => known[idOf(place)] ?? unknown;
  // A field of its own for each aspect: two processes that learn at once do not undo each other.
  const change = async (platform: Platform, aspect: Aspect, changes: Partial<Learned>): Promise<void> => {
    const field = idOf(platform);
    known = { ...known, [field]: { ...of(platform), ...changes } };
    await redis.hset(keys.accounts, `${field}/${aspect}`, JSON.stringify(changes));
  };
  return {
    of,
    refresh: async () => {
      known = parseAll(await redis.hgetall(keys.accounts), (field) => {
        if (!isNew(field)) return;
        log.warn({ field }, 'What was learned of an account cannot be read: it is learned anew.');
      });
    },
    rules: (platform) => rulesNow(platform, of(platform), { at: clock.now(), auto: isAuto(platform) }),
    switchOff: async (platform, { code, remedy }) => {
      tellSwitch(options, platform, { typing: 'off', code, remedy });
      const until = clock.now() + hour;
      // What forbids the indicator forbids the message: both hang on the same permission.
      await change(platform, 'permission', { offUntil: until, muteUntil: until, offCode: code, remedy });
    },
    switchOn: async (platform) => {
      if (of(platform).offUntil === 0) return;
      tellSwitch(options, platform, { typing: 'on', code: 0, remedy: null });
      await change(platform, 'permission', { offUntil: 0, muteUntil: 0, offCode: 0, remedy: '' });
    },
    isMute: (platform) => clock.now() < of(platform).muteUntil,
    mute: (platform) => {
      // The whole aspect: what is not written again is forgotten.
      const { offUntil, offCode, remedy } = of(platform);
      return change(platform, 'permission', { offUntil, offCode, remedy, muteUntil: clock.now() + hour });
    },
    noteEnds: async (platform, ended) => {
      saw?.(
        platform,
        ended.map(({ by }) => `end-by-${by}` as const),
      );
      const next = ended.reduce(learn, of(platform));
      if (!isAuto(platform) || next === of(platform)) return;
      await change(platform, 'habit', { afterAck: next.afterAck, unheard: next.unheard });
    },
  };
}

function tellSwitch(
  { clock, log, observe }: LearnedOptions,
  { channel, account }: Platform,
  now: Pick<Extract<Notice, { is: 'account' }>, 'typing' | 'code' | 'remedy'>,
): void {
  observe?.({ is: 'account', at: clock.now(), channel, account, ...now });
  if (now.typing === 'on') log.info({ channel, account }, 'Typing works again.');
  else log.error({ channel, account, code: now.code }, `Typing is switched off for an hour: ${now.remedy}`);
}

/** What all processes have learned of one account. */
interface Learned {
  /** Typing is switched off until then (ms); tried again after. */
  offUntil: number;
  /** The platform's code for it. */
  offCode: number;
  /** What mends it, in one sentence. */
  remedy: string;
  /** Messages cannot be sent through the platform's API either; asked again after (ms). */
  muteUntil: number;
  /** What to do after a bare acknowledgement, once seen; null: the platform's default. */
  afterAck: 'keep' | 'renew' | null;
  /** Acknowledged turns in a row of which nobody ever said how they ended. */
  unheard: number;
}

const learnedSchema = schemaOf<Learned>()(
  z.object({
    offUntil: z.number(),
    offCode: z.number(),
    remedy: z.string(),
    muteUntil: z.number(),
    afterAck: z.enum(['keep', 'renew']).nullable(),
    unheard: z.number(),
  }),
);

const unknown: Learned = {
  offUntil: 0,
  offCode: 0,
  remedy: '',
  muteUntil: 0,
  afterAck: null,
  unheard: 0,
};

/** So many acknowledged turns in a row without any evidence show that none is to be had. */
const unheardLimit = 3;

/** What comes without the webhook's answer shows that the end of later turns will be seen too. */
const heard: readonly EndedTurn['by'][] = ['gateway', 'status', 'echo', 'queue', 'control'];

function learn(learned: Learned, { by, asked, seen }: EndedTurn): Learned {
  // Typing that was asked for by hand goes on anyway, and its end by hand says nothing of other turns.
  if (!seen || (by === 'control' && asked)) return learned;
  if (heard.includes(by)) {
    return learned.afterAck === 'renew' && learned.unheard === 0
      ? learned
      : { ...learned, afterAck: 'renew', unheard: 0 };
  }
  if (by !== 'deadline') return learned;
  const unheard = learned.unheard + 1;
  return { ...learned, unheard, afterAck: unheard >= unheardLimit ? 'keep' : learned.afterAck };
}

function rulesNow(platform: Platform, learned: Learned, { at, auto }: { at: number; auto: boolean }): Rules {
  const { rules } = platform;
  const afterAck = auto ? (learned.afterAck ?? rules.afterAck) : rules.afterAck;
  return { ...rules, afterAck, mode: at < learned.offUntil ? 'off' : rules.mode };
}

/**
 * A hash of `channel/account/aspect`. An aspect that cannot be read is as if never learned: what the platform refuses
 * it refuses again. It spoils no other.
 */
function parseAll(fields: Record<string, string>, tell: (field: string) => void): Record<string, Learned> {
  const accounts: Record<string, Learned> = {};
  for (const [field, text] of Object.entries(fields)) {
    const account = field.slice(0, field.lastIndexOf('/'));
    const before = accounts[account] ?? unknown;
    const json = jsonOf(text);
    const read = learnedSchema.safeParse(isObject(json) ? { ...before, ...json } : json);
    accounts[account] = read.success ? read.data : before;
    if (!read.success) tell(field);
  }
  return accounts;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the platform refuses the account, and until when (ms); whose typing is off by the configuration has nothing to mend. */
export function switchedOffNow(
  { rules }: Pick<Platform, 'rules'>,
  { offUntil, offCode, remedy }: Learned,
  at: number,
): { until: number; code: number; remedy: string } | null {
  return at < offUntil && rules.mode !== 'off' ? { until: offUntil, code: offCode, remedy } : null;
}

/** When something was last seen of an account: a hash of times, written at most hourly per process. */

interface SightingsCommands {
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

/** Notes what the doctor asks for later; for everything that happens. */
export function createSightsObserver(saw: Saw): Observe {
  return (notice) => {
    const sight = sightOf(notice);
    if (sight !== null && 'account' in notice) saw(notice, [sight]);
  };
}

function sightOf(notice: Notice): Sight | null {
  switch (notice.is) {
    case 'push': {
      const { age = 0 } = notice;
      return ages.find(({ from }) => age >= from)?.sight ?? null;
    }
    case 'inbound':
      return 'message';
    case 'outbound':
      return notice.isMore ? 'more' : notice.by === 'status' ? 'status' : null;
    case 'delivery':
      return notice.way === 'impossible' ? 'impossible' : null;
    case 'previous-secret':
      return 'previous-secret';
    default:
      return null;
  }
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

const permission = z.object({ offUntil: z.number(), offCode: z.number() });

interface SwitchedOffCommands {
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
    const read = aspect === 'permission' ? readStored(permission, json) : null;
    return read && now < read.offUntil ? [{ channel, account, code: read.offCode }] : [];
  });
}
