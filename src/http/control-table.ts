/** The control API: every operation there is. Each may be said twice. */
import { accountOperations } from './control-accounts.ts';
import { createOperation, done, type Operation } from './control-operation.ts';
import {
  conversation,
  nothing,
  pauseAnswer,
  pauseBody,
  startAnswer,
  startBody,
  stopQuery,
} from './control-schemas.ts';

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
