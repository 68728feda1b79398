import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Outcome, Platform } from '../core/platform.ts';
import type { Rules } from '../core/rules.ts';
import type { Place, Saw } from '../core/sight.ts';
import type { EndedTurn } from '../core/state.ts';
import { keys } from './keys.ts';

/** What all processes have learned of one account. */
export interface Learned {
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

export interface AccountsCommands {
  hgetall(key: string): Promise<Record<string, string>>;
  hset(key: string, field: string, value: string): Promise<unknown>;
}

export interface Accounts {
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
/** So many acknowledged turns in a row without any evidence show that none is to be had. */
const unheardLimit = 3;

const unknown: Learned = { offUntil: 0, offCode: 0, remedy: '', muteUntil: 0, afterAck: null, unheard: 0 };

export interface AccountsOptions {
  redis: AccountsCommands;
  clock: Clock;
  log: Log;
  /** Accounts whose `afterAck` is `auto`. */
  isAuto: (platform: Platform) => boolean;
  /** Is told by what turns end. @default nobody */
  saw?: Saw;
}

export function createAccounts({ redis, clock, log, isAuto, saw }: AccountsOptions): Accounts {
  let known: Record<string, Learned> = {};
  const of = (place: Place): Learned => known[fieldOf(place)] ?? unknown;
  // A field of its own for each aspect: two processes that learn at once do not undo each other.
  const change = async (platform: Platform, aspect: Aspect, changes: Partial<Learned>): Promise<void> => {
    const field = fieldOf(platform);
    known = { ...known, [field]: { ...of(platform), ...changes } };
    await redis.hset(keys.accounts, `${field}/${aspect}`, JSON.stringify(changes));
  };
  return {
    of,
    refresh: async () => {
      known = parseAll(await redis.hgetall(keys.accounts));
    },
    rules: (platform) => rulesNow(platform, of(platform), { at: clock.now(), auto: isAuto(platform) }),
    switchOff: async (platform, { code, remedy }) => {
      log.error({ ...nameOf(platform), code }, `Typing is switched off for an hour: ${remedy}`);
      const until = clock.now() + hour;
      // What forbids the indicator forbids the message: both hang on the same permission.
      await change(platform, 'permission', { offUntil: until, muteUntil: until, offCode: code, remedy });
    },
    switchOn: async (platform) => {
      if (of(platform).offUntil === 0) return;
      log.info(nameOf(platform), 'Typing works again.');
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

function parseAll(fields: Record<string, string>): Record<string, Learned> {
  const accounts: Record<string, Learned> = {};
  for (const [field, json] of Object.entries(fields)) {
    const account = field.slice(0, field.lastIndexOf('/'));
    accounts[account] = { ...(accounts[account] ?? unknown), ...(JSON.parse(json) as Partial<Learned>) };
  }
  return accounts;
}

function fieldOf({ channel, account }: Place): string {
  return `${channel}/${account}`;
}

function nameOf({ channel, account }: Platform): { channel: string; account: string } {
  return { channel, account };
}
