/** The ticket, the refresh tokens and the authorization codes of a third-party platform, closed, for all processes. */
import { z } from 'zod';
import type { KeptSecrets, Log, Seal, SharedCache } from '../../core/ports.ts';
import { jsonOf } from '../../core/wire.ts';
import { lockOf } from '../token-store.ts';

/** A ticket is good for 12 h: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/component_verify_ticket.html */
const ticketMs = 12 * 60 * 60_000;

/** `at`: when WeChat said so, in ms since 1970. What is said again later (a replay) changes nothing. */
const dated = z.object({ v: z.literal(1), secret: z.string().min(1), at: z.number() });

export interface Dated {
  secret: string;
  at: number;
}

/** As it lies: to be replaced only while it still does. */
export interface HeldRefreshToken extends Dated {
  closed: string;
}

/** Every member rejects when Redis is out of reach. */
export interface ComponentSecrets {
  ticket(): Promise<string | null>;
  /** An older one than the one that is kept is dropped. */
  keepTicket(ticket: Dated): Promise<void>;
  refreshToken(appId: string): Promise<HeldRefreshToken | null>;
  keepRefreshToken(appId: string, token: Dated): Promise<void>;
  /**
   * WeChat has given a new one for `held`: a move that may be made again until it succeeds. False: another token has
   * taken the place meanwhile, and stays.
   */
  renewal(appId: string, held: HeldRefreshToken, token: string): () => Promise<boolean>;
  /** An authorization code waits until somebody has exchanged it. */
  code(appId: string): Promise<Dated | null>;
  keepCode(appId: string, code: Dated, ttlMs: number): Promise<void>;
  dropCode(appId: string): Promise<void>;
  /** Something of the account, or a ticket, lies there that none of our keys opens. */
  isStuck(of: { appId: string } | 'ticket'): Promise<boolean>;
  /** The account has withdrawn its authorization. False: that was before the one that stands. */
  withdraw(appId: string, at: number): Promise<boolean>;
}

interface SecretsDeps {
  kept: KeptSecrets;
  seal: Seal;
  now: () => number;
}

/** @param component its AppID: whatever it is called here, its secrets are found again */
export function createComponentSecrets(component: string, deps: SecretsDeps): ComponentSecrets {
  const { kept, now } = deps;
  const { read, write, renewal, isStuck } = createBox(deps);
  const ticket = `wechat/${component}/ticket`;
  const refresh = (appId: string): string => `wechat/${component}/refresh/${appId}`;
  const code = (appId: string): string => `wechat/${component}/code/${appId}`;
  return {
    ticket: async () => (await read(ticket))?.secret ?? null,
    async keepTicket(value) {
      const left = value.at + ticketMs - now();
      const held = await read(ticket);
      if (left > 0 && (held === null || held.at <= value.at)) await write(ticket, value, left);
    },
    refreshToken: (appId) => read(refresh(appId)),
    keepRefreshToken: (appId, value) => write(refresh(appId), value, null),
    renewal: (appId, held, secret) => renewal(refresh(appId), held, secret),
    isStuck: async (of) => {
      const names = of === 'ticket' ? [ticket] : [refresh(of.appId), code(of.appId)];
      return (await Promise.all(names.map(isStuck))).includes(true);
    },
    code: (appId) => read(code(appId)),
    keepCode: (appId, value, ttlMs) => write(code(appId), value, ttlMs),
    dropCode: (appId) => kept.drop(code(appId)),
    async withdraw(appId, at) {
      const names = [code(appId), refresh(appId)];
      const held = await Promise.all(names.map(read));
      if (held.some((one) => one !== null && one.at > at)) return false;
      await Promise.all(names.map((name) => kept.drop(name)));
      return true;
    },
  };
}

function createBox({ kept, seal }: SecretsDeps) {
  const close = (name: string, value: Dated): string => seal.seal(JSON.stringify({ v: 1, ...value }), name);
  const read = async (name: string): Promise<HeldRefreshToken | null> => {
    const closed = await kept.read(name);
    const opened = closed === null ? null : openDated(seal.open(closed, name));
    return closed === null || opened === null ? null : { ...opened, closed };
  };
  return {
    read,
    write: (name: string, value: Dated, ttlMs: number | null): Promise<void> =>
      kept.write(name, close(name, value), ttlMs),
    isStuck: async (name: string) => (await read(name)) === null && (await kept.read(name)) !== null,
    renewal: (name: string, held: HeldRefreshToken, secret: string) => {
      const to = close(name, { secret, at: held.at });
      return async () => {
        if (await kept.replace(name, { from: held.closed, to })) return true;
        // The same one may have been closed anew meanwhile.
        const now = await read(name);
        const isSame = now !== null && now.secret === held.secret && now.at === held.at;
        return isSame && kept.replace(name, { from: now.closed, to });
      };
    },
  };
}

function openDated(text: string | null): Dated | null {
  if (text === null) return null;
  const read = dated.safeParse(jsonOf(text));
  return read.success ? { secret: read.data.secret, at: read.data.at } : null;
}

/** What a third-party platform keeps closed follows the operator's key: after that the former key is not needed. */

export interface SealingDeps {
  kept: KeptSecrets;
  /** `isPresent`: the present key has closed it. */
  seal: Seal & { isPresent(sealed: string): boolean };
  cache: Pick<SharedCache, 'lock' | 'unlock'>;
  log: Log;
}

/** One read and one write (ms). */
const lockMs = 5_000;

/**
 * Closes with the present key what a former one has closed, for as long as it had left. What somebody is just renewing
 * is left to the next time. Rejects when Redis is out of reach; what is done by then stays done.
 * @param component its name, for the log, and its AppID
 */
export async function sealComponentAnew(
  { name, appId }: { name: string; appId: string },
  deps: SealingDeps,
): Promise<void> {
  const done = { anew: 0, stuck: 0 };
  for (const each of await deps.kept.names(`wechat/${appId}/`)) {
    const said = await undisturbed(deps, each, () => sealAnew(deps, each));
    if (said !== 'as-it-was') done[said] += 1;
  }
  const { anew, stuck } = done;
  if (anew > 0)
    deps.log.info(
      { component: name, secrets: anew },
      'What it keeps is closed by the present ACCOUNTS_KEY now.',
    );
  if (stuck > 0)
    deps.log.warn(
      { component: name, secrets: stuck },
      'Some of what it keeps was closed by another key: put that one into ACCOUNTS_KEY_PREVIOUS, or let the accounts authorise again.',
    );
}

async function sealAnew({ kept, seal }: SealingDeps, name: string): Promise<'anew' | 'stuck' | 'as-it-was'> {
  const from = await kept.read(name);
  if (from === null || seal.isPresent(from)) return 'as-it-was';
  const secret = seal.open(from, name);
  if (secret === null) return 'stuck';
  return (await kept.replace(name, { from, to: seal.seal(secret, name) })) ? 'anew' : 'as-it-was';
}

/** Who renews a refresh token puts the new one where the old one stands as it was read: it must not be moved meanwhile. */
async function undisturbed<Done>(
  { cache }: SealingDeps,
  name: string,
  work: () => Promise<Done>,
): Promise<Done | 'as-it-was'> {
  const [, component, appId] = /^wechat\/(\w+)\/refresh\/(\w+)$/.exec(name) ?? [];
  if (component === undefined || appId === undefined) return work();
  const key = lockOf(`${component}/${appId}`);
  const lock = await cache.lock(key, lockMs);
  if (lock === null) return 'as-it-was';
  try {
    return await work();
  } finally {
    await cache.unlock(key, lock).catch(() => {});
  }
}
