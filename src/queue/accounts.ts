import type { Notice, Observe } from '../core/notice.ts';
import type { Outcome, Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { idOf, type Place, type Saw, type Sight } from '../core/roster.ts';
import type { Rules } from '../core/rules.ts';
import type { EndedTurn } from '../core/state.ts';
import { keys } from '../redis/script.ts';
import { learn, type Learned, parseAll, rulesNow, unknown } from './learned.ts';

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

export interface AccountsOptions {
  redis: AccountsCommands;
  clock: Clock;
  log: Log;
  /** Accounts whose `afterAck` is `auto`. */
  isAuto: (platform: Platform) => boolean;
  /** Is told by what turns end. @default nobody */
  saw?: Saw;
  /** Is told when typing is switched off, and on again. @default nobody */
  observe?: Observe | undefined;
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { redis, clock, isAuto, saw } = options;
  let known: Record<string, Learned> = {};
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
      known = parseAll(await redis.hgetall(keys.accounts));
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
      saw?.(platform, ended.map(sightOf));
      const next = ended.reduce(learn, of(platform));
      if (!isAuto(platform) || next === of(platform)) return;
      await change(platform, 'habit', { afterAck: next.afterAck, unheard: next.unheard });
    },
  };
}

function sightOf({ by }: EndedTurn): Sight {
  return `end-by-${by}`;
}

function tellSwitch(
  { clock, log, observe }: AccountsOptions,
  { channel, account }: Platform,
  now: Pick<Extract<Notice, { is: 'account' }>, 'typing' | 'code' | 'remedy'>,
): void {
  observe?.({ is: 'account', at: clock.now(), channel, account, ...now });
  if (now.typing === 'on') log.info({ channel, account }, 'Typing works again.');
  else log.error({ channel, account, code: now.code }, `Typing is switched off for an hour: ${now.remedy}`);
}
