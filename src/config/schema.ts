/**
 * The fields of an account, as a file spells them, and what each must look like. A message goes on after the field's
 * name and never repeats a value: it may be a secret.
 */
import { z } from 'zod';
import type { Rules } from '../core/rules.ts';

const DAY = 86_400_000;
/** WeChat refuses longer ones: measured, https://github.com/MamaShip/Observer/issues/77 */
const LONGEST_TEXT = 2048;

type NumberRule = { [Name in keyof Rules]: Rules[Name] extends number ? Name : never }[keyof Rules];

export const needed = (where: string) =>
  z.string({
    error: ({ input }) => (input === undefined ? `is missing: ${where}` : 'must be a text in quotes'),
  });

const text = z.string({ error: 'must be a text in quotes' });

const oneOf = <const Choice extends string>(...choices: Choice[]) =>
  z.enum(choices, { error: `must be one of ${choices.join(', ')}` });

const webAddress = text.refine(isWebAddress, {
  error: 'must be a whole URL that begins with https:// or http://',
});

const milliseconds = z
  .int({ error: `must be a whole number from 0 to ${DAY}` })
  .min(0, { error: `must be a whole number from 0 to ${DAY}` })
  .max(DAY, { error: `must be a whole number from 0 to ${DAY}` });

const places = z
  .int({ error: 'must be a whole number from 1 to 100000' })
  .min(1, { error: 'must be a whole number from 1 to 100000' })
  .max(100_000, { error: 'must be a whole number from 1 to 100000' });

export const aesKey = text.regex(/^[A-Za-z0-9+/]{43}$/, {
  error: 'must be the 43 letters and digits that the platform shows as EncodingAESKey',
});

const rule = milliseconds.exactOptional();

/** Those that are numbers; the others follow from the platform or have fields of their own. */
const rules = z
  .strictObject({
    lifetime: rule,
    renewMargin: rule,
    window: rule,
    windowMargin: rule,
    againAfter: rule,
    againTries: rule,
    hideRetry: rule,
    showRetry: rule,
    callLimit: rule,
    startDelay: rule,
    cap: rule,
    deadline: rule,
    darkAfterMessage: rule,
    lapse: rule,
    deliveries: rule,
    showsPerMinute: rule,
    sendsPerMessage: rule,
    handoff: rule,
    echoPause: rule,
    repeats: rule,
  } satisfies Record<NumberRule, typeof rule>)
  .default({});

const forBoth = {
  botUrl: webAddress.optional(),
  botMode: oneOf('job', 'pass').default('job'),
  replyConcurrency: places.optional(),
  typing: oneOf('off', 'once', 'continuous').default('continuous'),
  afterAck: oneOf('auto', 'keep', 'renew').default('auto'),
  sendEnds: oneOf('all', 'oldest').default('all'),
  startDelayMs: milliseconds.optional(),
  starts: z
    .record(z.string(), z.boolean({ error: 'must be true or false' }), {
      error: 'must be an object of message types, each true or false',
    })
    .default({}),
  rules,
};

const interim = z.strictObject(
  {
    text: text
      .min(1, { error: 'must not be empty' })
      .refine((value) => new TextEncoder().encode(value).length <= LONGEST_TEXT, {
        error: `must be at most ${LONGEST_TEXT} bytes long`,
      }),
    after: z
      .number({ error: 'must be a number of seconds' })
      .min(0, { error: 'must be 0 or more' })
      .max(DAY / 1000, { error: 'must be less than a day' })
      .optional(),
  },
  { error: 'must be an object with text and, if you like, after (seconds)' },
);

const customSend = z.strictObject(
  {
    kfAccount: text.min(1, { error: 'must not be empty' }).optional(),
    isAiMessage: z.boolean({ error: 'must be true or false' }).default(false),
  },
  { error: 'must be an object with kfAccount or isAiMessage' },
);

export const wechatFields = z.strictObject({
  appId: needed('copy the AppID from the WeChat console'),
  appSecret: text.optional(),
  token: needed('copy the Token from the message push settings of the WeChat console'),
  tokenPrevious: text.optional(),
  encodingAesKey: aesKey.optional(),
  encodingAesKeyPrevious: aesKey.optional(),
  kind: oneOf('official', 'mini').default('official'),
  accessTokenUrl: webAddress.optional(),
  apiBase: webAddress.default('https://api.weixin.qq.com'),
  interim: interim.optional(),
  customSend: customSend.default({ isAiMessage: false }),
  typingPath: text.startsWith('/', { error: 'must begin with /' }).optional(),
  ...forBoth,
});

export const nxcloudFields = z.strictObject({
  accessKey: needed('copy the accessKey from the NXCloud console'),
  accessSecret: needed('copy the accessSecret from the NXCloud console'),
  accessSecretPrevious: text.optional(),
  appKey: needed("copy the application's appkey from the NXCloud console"),
  businessPhone: text
    .regex(/^\+?\d{5,20}$/, { error: 'must be the digits of the phone number, country code first' })
    .optional(),
  appId: text.regex(/^\d{1,20}$/, { error: 'must be the digits that pushes carry as app_id' }).optional(),
  verifyCallbacks: oneOf('auto', 'require', 'off').default('auto'),
  apiBase: webAddress.default('https://api2.nxcloud.com'),
  ...forBoth,
});

/** All that a plain forwarder needs. */
export const forwardFields = {
  wechat: z.object({ botUrl: webAddress.nullable().default(null), apiBase: wechatFields.shape.apiBase }),
  nxcloud: z.object({ botUrl: webAddress.nullable().default(null), apiBase: nxcloudFields.shape.apiBase }),
};

/** A reference to the environment that was left standing makes no URL. */
function isWebAddress(value: string): boolean {
  return !value.includes('${') && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}
