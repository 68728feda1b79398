/** The settings of a process that are not an account's, from the environment. */
import { z } from 'zod';
import type { Channel } from '../core/platform.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const whole = (least: number, most: number) =>
  z
    .string()
    .refine((text) => /^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most, {
      error: `must be a whole number from ${least} to ${most}`,
    })
    .transform(Number);

const oneOf = <const Choice extends string>(...choices: Choice[]) =>
  z.enum(choices, { error: `must be one of ${choices.join(', ')}` });

const yesOrNo = oneOf('0', '1', 'false', 'true').transform((text) => text === '1' || text === 'true');

const HOUR = 3_600_000;
/** WeChat hangs up after 5 s; the answer has to travel too. */
const LONGEST_HOLD = 4800;

const redisUrl = z
  .string()
  .refine(isRedisUrl, { error: 'must be a URL that begins with redis:// or rediss://' });

/** Where traces go: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
const collectorUrl = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    error: 'must be a URL that begins with http:// or https://',
  });

/** Whoever guesses it can stop the typing of every user. */
const secret = z
  .string()
  .regex(/^\S{16,}$/, { error: 'must be at least 16 characters long, without spaces' });

/** A key of AES-256, as its bytes in hex: one spelling for all. */
const key = z
  .string()
  .refine(isKey, { error: 'must be 32 bytes in base64 or hex, as `openssl rand -base64 32` makes them' })
  .transform((text) => bytesOf(text).toString('hex'));

const variables = z
  .object({
    PORT: whole(0, 65_535).default(3000),
    HOST: z.string().default('0.0.0.0'),
    REDIS_URL: redisUrl.optional(),
    REDIS_TLS_REJECT_UNAUTHORIZED: yesOrNo.default(true),
    LOG_LEVEL: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
    LOG_FORMAT: oneOf('pretty', 'json', 'auto').default('auto'),
    HOLD_MS: whole(0, LONGEST_HOLD).default(4500),
    BOT_TIMEOUT_MS: whole(100, HOUR).default(120_000),
    BOT_RETRY: oneOf('safe', 'always', 'never').default('safe'),
    REPLY_DEADLINE_MS: whole(100, HOUR).default(600_000),
    TYPING_CAP_MS: whole(0, HOUR).default(180_000),
    REPLY_CONCURRENCY: whole(1, 100_000).default(1000),
    TYPING_CONCURRENCY: whole(1, 100_000).default(200),
    CONTROL_TOKEN: secret.optional(),
    CONTROL_TOKEN_PREVIOUS: secret.optional(),
    ACCOUNTS_KEY: key.optional(),
    ACCOUNTS_KEY_PREVIOUS: key.optional(),
    ALLOW_PRIVATE_URLS: yesOrNo.default(false),
    GATEWAY_KEY: z
      .string()
      .regex(/^[A-Za-z0-9_-]{16,200}$/, { error: 'must be 16 to 200 letters, digits, _ and -' })
      .optional(),
    BOT_QUEUE: z
      .string()
      .regex(/^[^:]+$/, { error: 'must be the name of a BullMQ queue, without a colon' })
      .optional(),
    BOT_QUEUE_PREFIX: z.string().default('bull'),
    BOT_QUEUE_REDIS_URL: redisUrl.optional(),
    CONFIG_DIR: z.string().optional(),
    DATA_DIR: z.string().default('data'),
    DEMO: yesOrNo.optional(),
    BYPASS: yesOrNo.default(false),
    METRICS_PORT: whole(0, 65_535).optional(),
    METRICS_TOKEN: secret.optional(),
    OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl.optional(),
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collectorUrl.optional(),
    OTEL_SERVICE_NAME: z.string().default('keeptyping'),
    JOURNAL_LENGTH: whole(0, 1_000_000).default(20_000),
    NODE_ENV: z.string().optional(),
    DYNO: z.string().optional(),
  })
  .refine((read) => read.BOT_TIMEOUT_MS < read.REPLY_DEADLINE_MS, {
    path: ['BOT_TIMEOUT_MS'],
    error: 'must be less than REPLY_DEADLINE_MS, or a turn ends before its bot may',
    when: ({ issues }) =>
      !issues.some(({ path }) => path?.[0] === 'BOT_TIMEOUT_MS' || path?.[0] === 'REPLY_DEADLINE_MS'),
  })
  .refine((read) => read.ACCOUNTS_KEY !== undefined || read.ACCOUNTS_KEY_PREVIOUS === undefined, {
    path: ['ACCOUNTS_KEY_PREVIOUS'],
    error: 'is set without ACCOUNTS_KEY: set the new key there',
  });

export type Settings = z.infer<typeof variables>;

/** Reads the settings; an empty variable counts as unset. Faults begin with the variable's name and show no value. */
export function readSettings(environment: Environment): { settings: Settings } | { faults: string[] } {
  const set = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '');
  const read = variables.safeParse(Object.fromEntries(set));
  if (read.success) return { settings: read.data };
  return { faults: read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`) };
}

function isRedisUrl(value: string): boolean {
  return URL.canParse(value) && /^rediss?:$/.test(new URL(value).protocol);
}

function isKey(text: string): boolean {
  return /^([0-9a-f]{64}|[\w+/-]{43}=?)$/i.test(text) && bytesOf(text).length === 32;
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, text.length === 64 ? 'hex' : 'base64');
}

export type Fields = Readonly<Record<string, unknown>>;

/** An account as somebody wrote it down, not yet checked. */
export interface Candidate {
  channel: Channel;
  name: string;
  from: 'environment' | 'files' | 'record';
  /** Without the empty ones. */
  fields: Fields;
  /** What was found wrong on the way here. */
  faults: readonly string[];
  /** What a fault calls a field: the variable's name, or the place in the files. */
  label: (field: string) => string;
}
