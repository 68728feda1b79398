/** What settings are made of: kinds of values, and what is said of each setting wherever settings are listed. */
import { z } from 'zod';
import { patternOf } from '../core/bot.ts';
import { readRedisUrl } from '../core/redis-url.ts';
import type { Rules } from '../core/rules.ts';

/**
 * Said once, beside the schema: .env.example, app.json, docs/ and the control API's document are made of it
 * (`npm run docs:settings`).
 */
export interface About {
  /** Markdown that goes on after the name. */
  en: string;
  zh: string;
  /** What holds while it is unset, where the schema has no default to show. */
  unset?: string | { en: string; zh: string };
  /** To set it is to say that there is to be an account; the others only shape it. */
  defines?: true;
  /** Nobody is told it again, and an update of the account need not repeat it. */
  secret?: true;
  /** What app.json says beside its description; false: it does not name it. */
  heroku?: false | { value: string } | { generator: 'secret' };
}

export const about = z.registry<About>();

/** One line of a table of settings. */
export function setting<Schema extends z.ZodType>(schema: Schema, said: About): Schema {
  const copy = schema.clone();
  const any: z.ZodType = copy;
  about.add(any, said);
  return copy;
}

/** `WECHAT_APP_ID` for `appId` of WECHAT, `PORT` for `port` of nobody. */
export function variableOf(prefix: string, field: string): string {
  return `${prefix && `${prefix}_`}${field.replace(/[A-Z]/g, (capital) => `_${capital}`)}`.toUpperCase();
}

/** As JSON Schema: what a caller may send. */
export function asJsonSchema(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, { io: 'input' });
}

/** null: unset. */
export const unset = <Schema extends z.ZodType>(schema: Schema) =>
  schema.optional().transform((value) => value ?? null);

export const present = (...values: (string | null | undefined)[]): readonly string[] =>
  values.filter((value) => typeof value === 'string');

/** Kinds of values. A message goes on after the field's name and never repeats a value: it may be a secret. */

export const text = z.string({ error: 'must be a text in quotes' });

export const needed = (where: string) =>
  z.string({
    error: ({ input }) => (input === undefined ? `is missing: ${where}` : 'must be a text in quotes'),
  });

export const oneOf = <const Choice extends string>(...choices: Choice[]) =>
  z.enum(choices, { error: `must be one of ${choices.join(', ')}` });

const yes = z.boolean({ error: 'must be true or false' });

export const wholeNumber = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};

/** A reference to the environment that was left standing makes no URL. */
export const webAddress = text
  .refine((value) => !value.includes('${') && isUrl(value, /^https?:$/), {
    error: 'must be a whole URL that begins with https:// or http://',
  })
  .meta({ format: 'uri' });

export const phone = text
  .regex(/^\+?\d{5,20}$/, { error: 'must be the digits of the phone number, country code first' })
  .transform((value) => value.replace('+', ''));

export const aesKey = text.regex(/^[A-Za-z0-9+/]{43}$/, {
  error: 'must be the 43 letters and digits that the platform shows as EncodingAESKey',
});

export const DAY = 86_400_000;
/** WeChat refuses longer ones: measured, https://github.com/MamaShip/Observer/issues/77 */
const LONGEST_TEXT = 2048;

export const milliseconds = wholeNumber(0, DAY);

const rule = (en: string) => milliseconds.exactOptional().describe(en);

type NumberRule = { [Name in keyof Rules]: Rules[Name] extends number ? Name : never }[keyof Rules];

/** The platform's numbers; the other rules follow from the platform or have fields of their own. */
export const rules = z.strictObject({
  lifetime: rule('how long one accepted typing call shows'),
  renewMargin: rule("the renewal is due this long after the lifetime's end"),
  window: rule('typing needs a message at most this long ago'),
  windowMargin: rule('less this, for the time that the call takes'),
  againAfter: rule('after "already typing": again after this'),
  againTries: rule('after "already typing": at most so often in a row (a count)'),
  hideRetry: rule('a cancel that failed is tried again after this'),
  showRetry: rule('a typing call that failed is tried again after this'),
  callLimit: rule('a call without an outcome is given up after this'),
  startDelay: rule('as `startDelayMs`, and wins over it'),
  cap: rule('no message shows typing for longer; wins over `TYPING_CAP_MS`'),
  deadline: rule('a message counts as unanswered after this; wins over `REPLY_DEADLINE_MS`'),
  darkAfterMessage: rule('after a message to the user while the bot still works: dark for this long'),
  lapse: rule('`pass` mode: the message is over this long after a delivery without another'),
  deliveries: rule('`pass` mode: the message is over after so many (a count)'),
  patience: rule('the platform waits so long for the answer to a delivery'),
  showsPerMinute: rule('typing calls per user and minute (a count)'),
  sendsPerMessage: rule('messages that may be sent per message of the user (a count); 0: no limit'),
  handoff: rule('a human who has taken the conversation keeps it for this long, unless it is given back'),
  echoPause: rule("after a human's answer from the phone app: nothing is typed for this long"),
  remembered: rule('nobody waits: what is known of the conversation is kept for this long'),
  sendSilence: rule('`*_SEND_ENDS=silence`: a message ends the wait when none has followed it for this long'),
  afterFailed: rule(
    'an answer that WhatsApp could not deliver: the wait ends this long after, unless the bot tries again',
  ),
  namesKept: rule("a user's other names (phone, BSUID) are known for this long"),
  repeats: rule('how long repeats of a push are recognised'),
} satisfies Record<NumberRule, z.ZodType>);

export const starts = z.record(z.string(), yes, {
  error: 'must be an object of message types, each true or false',
});

export const noAnswers = z
  .array(
    text.min(1, { error: 'must not be empty' }).refine(isPattern, { error: 'is no regular expression' }),
    {
      error: 'must be a list of texts',
    },
  )
  .max(100, { error: 'must be at most 100 texts' });

function isPattern(entry: string): boolean {
  try {
    patternOf(entry);
    return true;
  } catch {
    return false;
  }
}

export const interim = z
  .strictObject(
    {
      text: text
        .min(1, { error: 'must not be empty' })
        .refine((value) => new TextEncoder().encode(value).length <= LONGEST_TEXT, {
          error: `must be at most ${LONGEST_TEXT} bytes long`,
        }),
      after: unset(
        z
          .number({ error: 'must be a number of seconds' })
          .min(0, { error: 'must be 0 or more' })
          .max(DAY / 1000, { error: 'must be less than a day' }),
      ),
    },
    { error: 'must be an object with text and, if you like, after (seconds)' },
  )
  .transform(({ text, after }) => ({ text, after: after === null ? null : after * 1000 }));

export const ending = text.max(100, { error: 'must be at most 100 characters long' });

export const customSend = z.strictObject(
  { kfAccount: unset(text.min(1, { error: 'must not be empty' })), isAiMessage: yes.default(false) },
  { error: 'must be an object with kfAccount or isAiMessage' },
);

/** Paths are put behind it. */
export const apiBase = (base: string) => webAddress.default(base).transform((url) => url.replace(/\/+$/, ''));

/** The same as a plain variable writes them. */

export const digits = (least: number, most: number) =>
  z
    .string()
    .refine((value) => /^\d{1,15}$/.test(value) && Number(value) >= least && Number(value) <= most, {
      error: `must be a whole number from ${least} to ${most}`,
    })
    .transform(Number);

export const zeroOrOne = oneOf('0', '1', 'false', 'true').transform(
  (value) => value === '1' || value === 'true',
);

export const redisUrl = z.string().refine((value) => readRedisUrl(value) !== null, {
  error:
    'must be a URL that begins with redis:// or rediss://, or redis+cluster://host:port,host:port, or redis+sentinel://host:port,host:port/name',
});

/** Several, apart by blanks or commas: a comma inside one is followed by a host, not by a scheme. */
export const redisUrls = z
  .string()
  .transform((value) => value.trim().split(/[\s,]+(?=rediss?(?:\+\w+)?:\/\/)/))
  .refine((urls) => urls.every((url) => readRedisUrl(url) !== null), {
    error: 'must be URLs as REDIS_URL takes them, apart by blanks or commas',
  });

/** Where traces go: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
export const collectorUrl = z.string().refine((value) => isUrl(value, /^https?:$/), {
  error: 'must be a URL that begins with http:// or https://',
});

/** Whoever guesses it can stop the typing of every user. */
export const token = z
  .string()
  .regex(/^\S{16,}$/, { error: 'must be at least 16 characters long, without spaces' });

/** A key of AES-256, as its bytes in hex: one spelling for all. */
export const key = z
  .string()
  .refine((value) => /^([0-9a-f]{64}|[\w+/-]{43}=?)$/i.test(value) && bytesOf(value).length === 32, {
    error: 'must be 32 bytes in base64 or hex, as `openssl rand -base64 32` makes them',
  })
  .transform((value) => bytesOf(value).toString('hex'));

function bytesOf(value: string): Buffer {
  return Buffer.from(value, value.length === 64 ? 'hex' : 'base64');
}

function isUrl(value: string, protocol: RegExp): boolean {
  return URL.canParse(value) && protocol.test(new URL(value).protocol);
}
