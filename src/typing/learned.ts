import { z } from 'zod';
import type { AccountNotice, Notice, Observe } from '../core/notice.ts';
import type { Outcome, Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import {
  ages,
  idOf,
  type Place,
  type Saw,
  type Sight,
  type Sights,
  type SwitchedOff,
} from '../core/roster.ts';
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
  /** A typing call said that the account may not: the next try is after 1, 2, 4… min, an hour at most. */
  switchOff(platform: Platform, why: Extract<Outcome, { is: 'account-off' }>): Promise<void>;
  /** The platform has accepted a call of the account. @param by @default 'typing' */
  switchOn(place: AccountNotice, by?: Accepted): Promise<void>;
  /** Somebody may have mended it: what was refused of the account, or of any, is tried again with the next message. */
  tryAgain(place?: Place): Promise<void>;
  mute(platform: Platform): Promise<void>;
  isMute(platform: Platform): boolean;
  noteEnds(platform: Platform, ended: EndedTurn[]): Promise<void>;
}

/** A typing call; a message that keeptyping sent; a call that the bot made by a token of its own. */
export type Accepted = 'typing' | 'send' | 'passed';

type Aspect = 'permission' | 'habit';

const minute = 60_000;
const hour = 60 * minute;

/** What has been refused so often in a row is tried again after so long (ms). */
function pauseOf(tries: number): number {
  return Math.min(minute * 2 ** (tries - 1), hour);
}

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
  const change = async (place: Place, aspect: Aspect, changes: Partial<Learned>): Promise<void> => {
    const field = idOf(place);
    known = { ...known, [field]: { ...of(place), ...changes } };
    await redis.hset(keys.accounts, `${field}/${aspect}`, JSON.stringify(changes));
  };
  // The whole aspect: what is not written again is forgotten.
  const permit = (place: Place, changes: Partial<Learned>): Promise<void> =>
    change(place, 'permission', { ...permissionOf(of(place)), ...changes });
  const refresh = async (): Promise<void> => {
    known = parseAll(await redis.hgetall(keys.accounts), (field) => {
      if (!isNew(field)) return;
      log.warn({ field }, 'What was learned of an account cannot be read: it is learned anew.');
    });
  };
  return {
    of,
    refresh,
    rules: (platform) => rulesNow(platform, of(platform), { at: clock.now(), auto: isAuto(platform) }),
    switchOff: async (platform, why) => {
      const refused = afterRefusal(of(platform), why, clock.now());
      if (refused === null) return;
      tellSwitch(options, platform, { typing: 'off', ...why, pause: pauseOf(refused.tries) });
      await permit(platform, refused);
    },
    switchOn: async (place, by = 'typing') => {
      const before = of(place);
      const changes = afterAccepted(before, by);
      if (changes === null) return;
      const isOn = before.offUntil !== 0 && changes.offUntil === 0;
      if (isOn) tellSwitch(options, place, { typing: 'on', code: 0, remedy: null, by });
      await permit(place, changes);
    },
    tryAgain: async (place) => {
      await refresh();
      const now = clock.now();
      const refused = Object.keys(known).filter((id) => now < (known[id]?.offUntil ?? 0));
      for (const id of refused.filter((each) => place === undefined || each === idOf(place))) {
        const [channel = '', account = ''] = id.split('/');
        log.info(
          { channel, account },
          'Typing, which the platform has refused, is tried with the next message.',
        );
        await permit({ channel, account }, { offUntil: now, tries: 0 });
      }
    },
    isMute: (platform) => clock.now() < of(platform).muteUntil,
    mute: (platform) => permit(platform, { muteUntil: clock.now() + hour }),
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

/** null: calls of one moment are refused together, and count once. */
function afterRefusal(
  before: Learned,
  { code, remedy }: Extract<Outcome, { is: 'account-off' }>,
  now: number,
): (Pick<Learned, 'tries'> & Partial<Learned>) | null {
  const isOff = now < before.offUntil;
  if (isOff && before.offCode === code) return null;
  const tries = isOff ? before.tries : before.tries + 1;
  const apart = before.apart || (before.offUntil === 0 && before.tries > 0);
  // What forbids the indicator forbids the message: both hang on the same permission.
  const until = { offUntil: now + pauseOf(tries), muteUntil: now + hour };
  return { ...until, offCode: code, remedy, tries, apart };
}

/** Only a typing call shows for sure that typing is permitted: after a message the count of refusals stays. */
function afterAccepted(
  { offUntil, muteUntil, tries, apart }: Learned,
  by: Accepted,
): Partial<Learned> | null {
  if (by === 'typing') return offUntil === 0 && tries === 0 ? null : permissionOf(unknown);
  if (apart) return by === 'send' && muteUntil !== 0 ? { muteUntil: 0 } : null;
  return offUntil === 0 && muteUntil === 0 ? null : { offUntil: 0, muteUntil: 0 };
}

type Switched =
  | { typing: 'on'; code: 0; remedy: null; by: Accepted }
  /** `pause`: so long until the next try (ms). */
  | { typing: 'off'; code: number; remedy: string; pause: number };

function tellSwitch({ clock, log, observe }: LearnedOptions, place: AccountNotice, now: Switched): void {
  const { channel, account } = place;
  const { typing, code, remedy } = now;
  observe?.({ is: 'account', at: clock.now(), channel, account, typing, code, remedy });
  if (now.typing === 'off') {
    const wait = now.pause === hour ? 'an hour' : `${now.pause / minute} min`;
    const again = 'then tried again, and at once after a restart or by the button in the console';
    log.error({ channel, account, code }, `Typing is switched off for ${wait}, ${again}: ${now.remedy}`);
  } else if (now.by === 'typing') log.info({ channel, account }, 'Typing works again.');
  else log.info({ channel, account }, 'The platform takes messages of the account: typing is on again.');
}

/** What all processes have learned of one account. */
interface Learned {
  /** Typing is switched off until then (ms); tried again with the next message after. 0: it is not refused. */
  offUntil: number;
  /** The platform's code for it. */
  offCode: number;
  /** What mends it, in one sentence. */
  remedy: string;
  /** Messages cannot be sent through the platform's API either; asked again after (ms). */
  muteUntil: number;
  /** So many tries in a row were refused. */
  tries: number;
  /** Messages pass where typing is refused: that they do says nothing of typing. */
  apart: boolean;
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
    tries: z.number(),
    apart: z.boolean(),
    afterAck: z.enum(['keep', 'renew']).nullable(),
    unheard: z.number(),
  }),
);

const unknown: Learned = {
  offUntil: 0,
  offCode: 0,
  remedy: '',
  muteUntil: 0,
  tries: 0,
  apart: false,
  afterAck: null,
  unheard: 0,
};

function permissionOf({ offUntil, offCode, remedy, muteUntil, tries, apart }: Learned): Partial<Learned> {
  return { offUntil, offCode, remedy, muteUntil, tries, apart };
}

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

const noteEvery = hour;

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
  const note = (field: string, at?: number): void => {
    const now = clock.now();
    if (now < (due.get(field) ?? 0)) return;
    due.set(field, now + (isQuick(field) ? minute : noteEvery));
    redis.hset(keys.seen, field, String(at ?? now)).catch((error: unknown) => {
      // A fault of Redis must not make a write of every push.
      due.set(field, now + minute);
      log.debug({ field, error }, 'What was seen of an account was not noted.');
    });
  };
  return (place, sights, at) => sights.forEach((sight) => note(fieldOf(place, sight), at));
}

/** What was taken since something was refused shows that it is mended. */
function isQuick(field: string): boolean {
  return /\/(taken$|refused )/.test(field);
}

/** Notes what the doctor asks for later; for everything that happens. */
export function createSightsObserver(saw: Saw): Observe {
  return (notice) => {
    if ('account' in notice) saw(notice, sightsIn(notice), notice.is === 'refused' ? notice.at : undefined);
  };
}

function sightsIn(notice: Notice): Sight[] {
  if (notice.is === 'push' && notice.result === 'taken') {
    const aged = ages.find(({ from }) => (notice.age ?? 0) >= from);
    return aged ? ['taken', aged.sight] : ['taken'];
  }
  const sight = sightOf(notice);
  return sight === null ? [] : [sight];
}

function sightOf(notice: Notice): Sight | null {
  switch (notice.is) {
    case 'refused':
      return `refused ${notice.reason}`;
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

/** The same, as it stands now. */
export function seenOn(redis: { hgetall(key: string): Promise<Record<string, string>> }) {
  return async (place: Place): Promise<Sights> => sightsOf(await redis.hgetall(keys.seen), place);
}

function fieldOf({ channel, account }: Place, sight: Sight | ''): string {
  return `${channel}/${account}/${sight}`;
}

const permission = z.object({ offUntil: z.number(), offCode: z.number(), remedy: z.string() });

interface SwitchedOffCommands {
  hgetall(key: string): Promise<Record<string, string>>;
}

/** The accounts whose typing the platform has refused last. Rejects when Redis is out of reach. */
export async function readSwitchedOff(redis: SwitchedOffCommands): Promise<SwitchedOff[]> {
  const learned = await redis.hgetall(keys.accounts);
  return Object.entries(learned).flatMap(([field, json]) => {
    const [channel = '', account = '', aspect] = field.split('/');
    const read = aspect === 'permission' ? readStored(permission, json) : null;
    return read && read.offUntil !== 0 ? [{ channel, account, code: read.offCode, remedy: read.remedy }] : [];
  });
}
