/** What the control API takes and answers, as schemas: requests are read by them, the document is made of them. */
import { z } from 'zod';
import { appIdPattern } from '../core/roster.ts';

/** No platform's ids are longer. */
const longestId = 512;

const id = z
  .string({ error: 'must be one string: pass the id as the push has it, in quotes where it is JSON' })
  .min(1, 'is empty: name one, or leave it out')
  .max(longestId, `is longer than ${longestId} characters`);

const time = z.int().nonnegative().describe('ms since 1970');

/** Of a query that means nothing here nothing is read. */
export const nothing = z.object({});

export const startBody = z.strictObject({
  messageId: id
    .optional()
    .describe(
      'The id that the platform gave the message (WeChat: MsgId; WhatsApp: messages[].id). Without it the newest open turn is joined, or a new one opened.',
    ),
});

export const pauseBody = z.strictObject({
  seconds: z
    .int('must be a whole number')
    .min(1, 'must be from 1 to 31536000')
    .max(31_536_000, 'must be from 1 to 31536000: leave it out for a pause that ends with DELETE')
    .optional()
    .describe('How long. Without it: until DELETE.'),
});

export const stopQuery = z
  .strictObject({
    turn: id.optional().describe('The turn that a start has answered with.'),
    messageId: id.optional().describe('The turn of this message.'),
  })
  .refine(({ turn, messageId }) => turn === undefined || messageId === undefined, {
    path: ['turn'],
    error: 'and messageId both stand there: name one of them',
  });

export const startAnswer = z.object({
  turn: z.string().describe('Pass it to DELETE …/typing?turn= when the answer is out.'),
});

export const pauseAnswer = z.object({
  until: time.nullable().describe('When it ends by itself (ms since 1970); null: with DELETE.'),
});

const evidence = z
  .enum([
    'passive-reply',
    'status',
    'echo',
    'gateway',
    'queue',
    'control',
    'bot',
    'reply-failed',
    'deliveries',
    'deadline',
    'handoff',
    'left',
    'crowded',
  ])
  .describe('What ended it.');

/** Each is explained in docs/control-api.md. */
export const reasons = z.enum([
  'nobody_waits',
  'event_kind',
  'paused',
  'mode_off',
  'no_permission',
  'cap',
  'bot_cancelled',
  'start_delay',
  'message_sent',
  'acknowledged',
  'mode_once',
  'window_closed',
  'message_refused',
  'user_refused',
  'platform_limit',
  'breaker',
  'budget',
  'calling',
]);

const turn = z.object({
  id: z.string(),
  phase: z.enum(['working', 'acknowledged']).describe('working: the bot is being called.'),
  openedAt: time,
  shown: z.boolean().describe('Typing has shown in this turn.'),
});

const indicator = z
  .discriminatedUnion('is', [
    z.object({ is: z.literal('dark') }),
    z.object({ is: z.enum(['lit', 'maybe']), since: time, until: time }),
  ])
  .describe('What the phone shows; maybe: nobody knows what became of the last call.');

const dark = z.object({
  reason: z.enum([...reasons.options, 'redis_down']),
  until: time.nullable().describe('When this ends by itself (ms since 1970), where that is known.'),
  code: z.int().nullable().describe("The platform's code behind it."),
  remedy: z.string().nullable().describe('What mends it.'),
});

export const conversation = z.object({
  turns: z.array(turn).describe('Messages that wait for their answer, oldest first.'),
  indicator,
  lastInteractionAt: time.nullable().describe('The last message in either direction.'),
  lastMessageId: z.string().nullable(),
  lastEnded: z
    .object({ turn: z.string(), by: evidence, at: time })
    .nullable()
    .describe('What ended the last turn.'),
  sends: z
    .object({ used: z.int().nonnegative(), left: z.int().nonnegative().nullable() })
    .describe("Messages to the user since the user's last one; left: null where there is no limit."),
  pausedUntil: time.nullable(),
  pausedBy: z.enum(['control', 'session', 'transfer', 'echo']).nullable(),
  dark: dark.nullable().describe('Why nothing shows; null: it shows.'),
});

export const failure = z.object({
  error: z.string(),
  faults: z.array(z.string()).optional().describe('All that is wrong, where there may be several.'),
});

export const outage = z.object({
  error: z.string(),
  dark: z.object({
    reason: z.literal('redis_down'),
    remedy: z
      .string()
      .nullable()
      .describe('How Redis stands, and what mends it; null: it was only once out of reach.'),
  }),
});

/** What is said and asked about typing behind a third-party platform, as schemas. */

const appId = z
  .string({ error: 'must be an AppID' })
  .regex(appIdPattern, { error: 'must be an AppID: wx and 16 digits or letters from a to f' });

const percentRange = 'must be a number from 0 to 100';

const kinds = 'must name in "is" one of template, all, none, list, share';

const reach = z
  .discriminatedUnion(
    'is',
    [
      z.strictObject({ is: z.enum(['template', 'all', 'none']) }),
      z.strictObject({
        is: z.literal('list'),
        appids: z.array(appId, { error: 'must be a list of AppIDs' }),
      }),
      z.strictObject({
        is: z.literal('share'),
        percent: z.number({ error: percentRange }).min(0, percentRange).max(100, percentRange),
      }),
    ],
    { error: kinds },
  )
  .describe(
    "For which accounts typing is on: as the template says, all, none, those listed, or so many of a hundred, always the same ones. On: in the template's mode, where that is off continuously.",
  );

export const componentTyping = z.strictObject({
  typing: reach,
  accounts: z
    .record(appId, z.enum(['on', 'off'], { error: 'must be on or off' }), {
      error: 'must be an object of AppIDs, each on or off',
    })
    .default({})
    .describe('By AppID; wins over typing.'),
});

/** What the control API answers of accounts. */

const typingNow = z.discriminatedUnion('is', [
  z.object({ is: z.literal('on') }),
  z.object({
    is: z.literal('off'),
    reason: z.enum(['mode_off', 'no_permission']),
    until: time.nullable(),
    code: z.int().nullable(),
    remedy: z.string().nullable(),
  }),
]);

export const accountView = z.object({
  channel: z.enum(['wechat', 'nxcloud', 'component']).describe('component: a third-party platform.'),
  account: z.string(),
  source: z.enum(['environment', 'files', 'record']).describe('record: set at run time.'),
  state: z.enum(['ok', 'faulty']),
  reason: z.string().nullable().describe('What is wrong with it.'),
  serves: z
    .object({
      typing: typingNow,
      fields: z.record(z.string(), z.unknown()).describe('URLs without user, password and query.'),
      secrets: z.record(z.string(), z.enum(['set', 'unset'])),
    })
    .nullable()
    .describe('null: it is not served. A faulty one that is goes on as it was before.'),
});

export const accountList = z.object({ accounts: z.array(accountView) });
