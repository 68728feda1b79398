/** The control API on a real server, with a queue that notes what it is told. */
import { createServer } from 'node:http';
import request, { type Test } from 'supertest';
import { expect } from 'vitest';
import { listen } from '../http/wire.ts';
import { createControl } from '../../src/control/control.ts';
import type { AccountRegister, AccountView } from '../../src/control/operation.ts';
import type { Platform } from '../../src/core/platform.ts';
import { createRoster } from '../../src/core/roster.ts';
import type { View } from '../../src/core/view.ts';
import { createApp, type Readiness } from '../../src/http/app.ts';
import { createGuard, type GuardOptions } from '../../src/http/guard.ts';
import type { Conversations } from '../../src/typing/conversations.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { scriptedPlatform } from '../support/platforms.ts';

export const token = 'control-token';
export const user = '/conversations/wechat/shop/openid';
export const error: unknown = { error: expect.stringMatching(/^\S.*[.]$/s) };

export const readable: View = {
  turns: [{ id: 'a', phase: 'working', openedAt: 1_700_000_000_000, shown: true }],
  indicator: { is: 'maybe', since: 1_700_000_000_000, until: 1_700_000_015_000 },
  lastInteractionAt: 1_700_000_000_000,
  lastMessageId: 'a',
  lastEnded: { turn: 'b', by: 'gateway', at: 1_700_000_000_000 },
  sends: { used: 1, left: 4 },
  pausedUntil: 1_700_000_060_000,
  pausedBy: 'control',
  dark: { reason: 'no_permission', until: 1_700_003_600_000, code: 48001, remedy: 'Ask for it.' },
};

export const shown: AccountView = {
  channel: 'wechat',
  account: 'shop',
  source: 'record',
  state: 'ok',
  reason: null,
  serves: {
    typing: { is: 'off', reason: 'no_permission', until: 1_700_003_600_000, code: 48001, remedy: 'Ask.' },
    fields: { appId: 'wx1', botUrl: 'https://bot.example/' },
    secrets: { token: 'set', appSecret: 'unset' },
  },
};

const refused = { is: 'refused', error: 'A file defines it.' } as const;

/** A register in which `shop` stands, set at run time, and another comes; `files` is not to be changed. */
const oneAccount: AccountRegister = {
  list: async () => [shown],
  read: async ({ account }) => (account === 'other' ? null : { ...shown, account }),
  put: async ({ account }) =>
    account === 'files' ? refused : { is: account === 'shop' ? 'updated' : 'created' },
  remove: async ({ account }) => (account === 'files' ? refused : { is: 'removed' }),
  tryAgain: async () => {},
};

const platforms = [
  { ...scriptedPlatform(), account: 'shop' },
  { ...scriptedPlatform({ channel: 'nxcloud' }), account: 'sales' },
];

const accounts = createRoster(
  platforms.map((platform) => ({ platform, bot: null, apiBase: 'http://127.0.0.1:9' })),
);

export interface ControlScene {
  url: string;
  log: RecordedLog;
  /** The name of each member that was called, its account, its user and what else it was told. */
  said: unknown[][];
  /** A request with the control token. */
  ask: (method: 'get' | 'put' | 'post' | 'delete' | 'options', path: string) => Test;
}

const readiness = (): Readiness => ({ phase: 'ready', degraded: [], skipped: [] });

export async function serveControl(
  { register: registered, ...over }: Partial<Conversations> & { register?: Partial<AccountRegister> } = {},
  guarded: GuardOptions = { tokens: [token], open: 'never' },
): Promise<ControlScene> {
  const log = recordLog();
  const said: unknown[][] = [];
  const conversations = { ...noting(said), ...over };
  const register = { ...oneAccount, ...registered };
  const control = createControl({ guard: createGuard(guarded), accounts, conversations, register, log });
  const app = createApp({ log, readiness, receive: async () => {}, handshake: () => {}, control });
  const url = await listen(createServer(app));
  const ask: ControlScene['ask'] = (method, path) =>
    request(url)[method](path).set('Authorization', `Bearer ${token}`);
  return { url, log, said, ask };
}

function noting(said: unknown[][]): Conversations {
  const note = (name: string, { channel, account }: Platform, ...rest: unknown[]): void => {
    said.push([name, `${channel}/${account}`, ...rest]);
  };
  return {
    read: async () => readable,
    names: async (_, user) => [user],
    start: async (platform, user, messageId) => {
      note('start', platform, user, messageId);
      return { is: 'started', turn: `turn-of-${messageId}` };
    },
    stop: async (...told) => note('stop', ...told),
    forget: async (...told) => note('forget', ...told),
    pause: async (platform, user, seconds) => {
      note('pause', platform, user, seconds);
      return { until: seconds === null ? null : seconds * 1000 };
    },
    resume: async (...told) => note('resume', ...told),
  };
}
