/** The ticket, the refresh tokens and the authorization codes of a third-party platform, closed, for all processes. */
import { z } from 'zod';
import type { KeptSecrets, Seal } from '../core/ports.ts';

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

export interface SecretsDeps {
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

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
