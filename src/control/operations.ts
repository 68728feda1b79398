/** The operations of the control API on accounts. */
import { z } from 'zod';
import { isChannel } from '../core/platform.ts';
import { isAccountName, type Place, servedNamePattern } from '../core/roster.ts';
import {
  type AccountView,
  type CarryOut,
  createOperation,
  done,
  type Operation,
  type OperationRefusal,
  type Result,
  unknownAccount,
} from './operation.ts';
import {
  accountList,
  accountView,
  conversation,
  nothing,
  pauseAnswer,
  pauseBody,
  startAnswer,
  startBody,
  stopQuery,
} from './schemas.ts';

const one = '/accounts/{channel}/{account}';
const noSuch = 'No such channel or account';
const noName = 'No account can have that name';
const configured = 'The environment or a file defines it';

const accountOperations: readonly Operation[] = [
  {
    id: 'listAccounts',
    method: 'get',
    path: '/accounts',
    summary: 'All accounts: of the environment, of files, and those that were set at run time',
    from: 'query',
    takes: nothing,
    answer: accountList,
    statuses: {},
    at:
      ({ register }) =>
      async () => ({ status: 200, body: { accounts: await register.list() } }),
  },
  {
    id: 'readAccount',
    method: 'get',
    path: one,
    summary: 'One account, without its secrets',
    from: 'query',
    takes: nothing,
    answer: accountView,
    statuses: { 400: noName, 404: noSuch },
    at: ({ register }, params) => within(params, async (place) => show(await register.read(place), place)),
  },
  {
    id: 'putAccount',
    method: 'put',
    path: one,
    summary: 'Set an account',
    description:
      'The fields are those of a configuration file. Secrets that are left out stay as they are, null takes one away; any other field that is left out has its default. In all processes within 2 s.',
    from: 'body',
    takes: z.looseObject({}),
    answer: accountView,
    statuses: {
      201: 'It is new',
      400: 'The name or the fields have faults: all of them are named',
      404: 'No such channel',
      409: `${configured}; or secrets cannot be closed, or opened, by ACCOUNTS_KEY; or there are too many`,
    },
    at: ({ register }, params) =>
      within(params, async (place, fields) => {
        const put = await register.put(place, fields);
        if (put.is === 'refused') return { status: 409, error: put.error };
        if (put.is === 'faulty') return { status: 400, ...faulty(put.faults) };
        const shown = show(await register.read(place), place);
        return put.is === 'created' && shown.status === 200 ? { ...shown, status: 201 } : shown;
      }),
  },
  {
    id: 'deleteAccount',
    method: 'delete',
    path: one,
    summary: 'Remove an account that was set at run time',
    description:
      'It takes no more pushes; what it has taken is still answered. Also 204 when there was none.',
    from: 'query',
    takes: nothing,
    answer: null,
    statuses: { 400: noName, 404: 'No such channel', 409: configured },
    at: ({ register }, params) =>
      within(params, async (place) => {
        const removed = await register.remove(place);
        return removed.is === 'refused' ? { status: 409, error: removed.error } : { status: 204 };
      }),
  },
  {
    id: 'retryTyping',
    method: 'put',
    path: `${one}/typing`,
    summary: 'Try typing again that the platform has refused',
    description:
      'With the next message, without waiting for the next try. Also 204 when nothing was refused.',
    from: 'body',
    takes: nothing,
    answer: null,
    statuses: { 400: noName, 404: noSuch },
    at: ({ accounts, register }, { channel = '', account = '' }) => {
      if (!new RegExp(servedNamePattern).test(account)) return { status: 400, error: badName };
      if (accounts.of({ channel, account }) === null)
        return { status: 404, error: unknownAccount(channel, account) };
      return async () => {
        await register.tryAgain({ channel, account });
        return { status: 204 };
      };
    },
  },
];

type Work = (place: Place, fields: Readonly<Record<string, unknown>>) => Promise<Result>;

function within(
  { channel = '', account = '' }: Readonly<Record<string, string>>,
  work: Work,
): CarryOut | OperationRefusal {
  if (!isChannel(channel))
    return { status: 404, error: `There is no channel "${channel.slice(0, 60)}": name wechat or nxcloud.` };
  if (!isAccountName(account)) return { status: 400, error: badName };
  return async (unread) => {
    const read = z.record(z.string(), z.unknown()).safeParse(unread);
    return read.success ? work({ channel, account }, read.data) : { status: 400, error: noObject };
  };
}

function show(
  view: AccountView | null,
  { channel, account }: Place,
): { status: 200; body: AccountView } | OperationRefusal {
  return view ? { status: 200, body: view } : { status: 404, error: unknownAccount(channel, account) };
}

function faulty(faults: readonly string[]): { error: string; faults: readonly string[] } {
  return { error: `The account has faults: ${faults.join('; ')}.`, faults };
}

const badName =
  'This is no name of an account: use at most 64 letters, digits, _ and -, and begin with a letter or a digit.';
const noObject = 'The body is no object: send the fields of the account.';

/** The control API: every operation there is. Each may be said twice. */

const user = '/conversations/{channel}/{account}/{user}';

export const operations: readonly Operation[] = [
  createOperation({
    id: 'startTyping',
    method: 'put',
    path: `${user}/typing`,
    summary: 'Start typing',
    description:
      'Typing shows, and is renewed, until it is stopped or the cap is reached. nxcloud needs a messageId unless a message of the user has come through keeptyping.',
    from: 'body',
    takes: startBody,
    answer: startAnswer,
    run: async (conversations, { platform, user }, { messageId = null }) => {
      const started = await conversations.start(platform, user, messageId);
      return started.is === 'refused' ? started : done({ turn: started.turn });
    },
  }),
  createOperation({
    id: 'stopTyping',
    method: 'delete',
    path: `${user}/typing`,
    summary: 'Stop typing',
    description:
      'The answer is out, or none will come: of the named turn, else of all. Also 204 when there was nothing to end.',
    from: 'query',
    takes: stopQuery,
    answer: null,
    run: async (conversations, { platform, user }, { turn, messageId }) => {
      await conversations.stop(platform, user, whichOf({ turn, messageId }));
      return done(null);
    },
  }),
  createOperation({
    id: 'readConversation',
    method: 'get',
    path: user,
    summary: 'What shows, what ended the last turn, or why nothing shows',
    from: 'query',
    takes: nothing,
    answer: conversation,
    run: async (conversations, { platform, user }) => done(await conversations.read(platform, user)),
  }),
  createOperation({
    id: 'forgetUser',
    method: 'delete',
    path: user,
    summary: 'Forget the user',
    description: 'Nothing that keeptyping knows of the conversation stays once nothing shows any more.',
    from: 'query',
    takes: nothing,
    answer: null,
    run: async (conversations, { platform, user }) => {
      await conversations.forget(platform, user);
      return done(null);
    },
  }),
  createOperation({
    id: 'pauseTyping',
    method: 'put',
    path: `${user}/pause`,
    summary: 'A human takes the conversation: no typing',
    description: 'Ends every open turn. Said again, the time runs anew.',
    from: 'body',
    takes: pauseBody,
    answer: pauseAnswer,
    run: async (conversations, { platform, user }, { seconds = null }) =>
      done(await conversations.pause(platform, user, seconds)),
  }),
  createOperation({
    id: 'resumeTyping',
    method: 'delete',
    path: `${user}/pause`,
    summary: 'The bot has the conversation back',
    from: 'query',
    takes: nothing,
    answer: null,
    run: async (conversations, { platform, user }) => {
      await conversations.resume(platform, user);
      return done(null);
    },
  }),
  ...accountOperations,
];

function whichOf({ turn, messageId }: { turn: string | undefined; messageId: string | undefined }) {
  if (turn !== undefined) return { is: 'turn', turn } as const;
  return messageId === undefined ? ({ is: 'all' } as const) : ({ is: 'message', messageId } as const);
}
