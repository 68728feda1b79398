/**
 * Every field of an account and of a third-party platform, as a file spells it: what it must look like and what is said
 * of it. All else follows from here: its variable, its type, whether it is a secret, the run-time API and the docs.
 */
import { z } from 'zod';
import { appIdPattern } from '../core/roster.ts';
import {
  aesKey,
  apiBase,
  customSend,
  DAY,
  ending,
  interim,
  milliseconds,
  needed,
  noAnswers,
  oneOf,
  phone,
  rules,
  setting,
  starts,
  text,
  unset,
  variableOf,
  webAddress,
  wholeNumber,
} from './values.ts';

const forBoth = {
  botUrl: setting(unset(webAddress), {
    en: "the bot's own webhook URL; without one nothing is forwarded, only typing is shown (observe)",
    zh: '机器人自己的 webhook 地址；不设即旁观：不转发，只显示“正在输入”',
    defines: true,
  }),
  botMode: setting(oneOf('job', 'pass').default('job'), {
    en: '`job`: slow answers are delivered late; `pass`: every delivery goes straight through',
    zh: '`job`：迟到的回答稍后送达；`pass`：每次推送直接转发',
  }),
  replyConcurrency: setting(unset(wholeNumber(1, 100_000)), {
    en: 'calls of this bot that one worker has under way at most; further messages wait their turn',
    zh: '每个 worker 进程同时调用该机器人的上限；超出的消息排队等待',
  }),
  typing: setting(oneOf('off', 'once', 'continuous').default('continuous'), {
    en: '`off`, `once`, `continuous`; on WhatsApp every typing call also marks messages read (blue ticks)',
    zh: '`off`、`once`、`continuous`；WhatsApp 上每次 typing 调用同时标为已读（蓝勾）',
  }),
  afterAck: setting(oneOf('auto', 'keep', 'renew').default('auto'), {
    en: 'after a bare acknowledgement by the bot: `keep`: leave what is lit; `renew`; `auto`: WeChat begins at `keep`, WhatsApp at `renew`',
    zh: '机器人只应答之后：`keep`：已显示的留着，不续；`renew`：续期；`auto`：微信从 `keep` 开始，WhatsApp 从 `renew` 开始',
  }),
  sendEnds: setting(oneOf('all', 'oldest', 'silence').default('all'), {
    en: 'what a message to the user ends whose question is not known: `all` acknowledged ones before it, or the `oldest`; `silence`, for a bot that sends several: all, when none has followed for 8 s, and until then it shows again (rule `sendSilence`)',
    zh: '不知道答的是哪条消息时，一条发给用户的消息结束什么：之前所有应答过的（`all`），或最早的一个（`oldest`）；`silence`（用于分几条发送的机器人）：8 秒内没有下一条才全部结束，其间继续显示（规则 `sendSilence`）',
  }),
  noAnswers: setting(noAnswers.default([]), {
    en: 'JSON: texts of the bot that are no answers, as `["正在查询…","/^searching/i"]` (between slashes: regular expressions): they end no wait',
    zh: 'JSON：机器人发出的、不算回答的文本，如 `["正在查询…","/^searching/i"]`（斜杠之间为正则表达式）：它们不结束等待',
    unset: '[]',
  }),
  startDelayMs: setting(milliseconds.optional(), {
    en: 'no typing before this time after a message, in ms',
    zh: '收到消息后，在此之前不显示，以毫秒计',
    unset: '0',
  }),
  starts: setting(starts.default({}), {
    en: 'JSON: message types that do or do not start typing, such as `{"event.CLICK":true}` or, on WhatsApp, `{"sticker":false}`',
    zh: 'JSON：哪些消息类型触发、哪些不触发，如 `{"event.CLICK":true}`，WhatsApp 上如 `{"sticker":false}`',
  }),
  rules: setting(rules.default({}), {
    en: 'JSON: the platform\'s numbers, such as `{"lifetime":20000}`; the list is in config/README.md',
    zh: 'JSON：改写平台的数值，如 `{"lifetime":20000}`；全部见 config/README.md',
  }),
};

export const wechatFields = z.strictObject({
  appId: setting(needed('copy the AppID from the WeChat console'), {
    en: 'required for a WeChat account: its AppID',
    zh: '微信账号必填：AppID',
    defines: true,
  }),
  appSecret: setting(unset(text), {
    en: "the AppSecret, for access tokens (`stable_token`; the bot's own tokens stay valid); not needed with `WECHAT_ACCESS_TOKEN_URL`",
    zh: 'AppSecret，用来取 access_token（`stable_token`，不影响机器人自己的 token）；设了 `WECHAT_ACCESS_TOKEN_URL` 则不需要',
    defines: true,
    secret: true,
  }),
  token: setting(needed('copy the Token from the message push settings of the WeChat console'), {
    en: 'required for a WeChat account: the Token of its server configuration',
    zh: '微信账号必填：服务器配置里的 Token',
    defines: true,
    secret: true,
  }),
  tokenPrevious: setting(unset(text), {
    en: 'the Token before, accepted as well while you change it',
    zh: '旧的 Token，更换期间同时接受',
    secret: true,
  }),
  encodingAesKey: setting(unset(aesKey), {
    en: 'EncodingAESKey, 43 characters, for secure and compatible mode',
    zh: 'EncodingAESKey，43 个字符，安全模式和兼容模式需要',
    defines: true,
    secret: true,
  }),
  encodingAesKeyPrevious: setting(unset(aesKey), {
    en: 'the EncodingAESKey before, accepted as well while you change it',
    zh: '旧的 EncodingAESKey，更换期间同时接受',
    secret: true,
  }),
  encryption: setting(oneOf('auto', 'require', 'any').default('auto'), {
    en: '`auto`: refuse plain pushes as soon as an encrypted one was seen; `require`: refuse them at once; `any`: take both, and forget that one was seen. To change to plain mode in the console, set `any` first',
    zh: '`auto`：见过一次加密推送后就拒绝明文推送；`require`：一开始就拒绝；`any`：都接受，并忘掉见过加密。在控制台改回明文模式之前，先设为 `any`',
  }),
  pushAgeMs: setting(wholeNumber(60_000, 30 * DAY).default(DAY), {
    en: 'a push is refused whose `timestamp` is further from now, before or after, in ms',
    zh: '推送的 `timestamp` 与当前时间相差超过此值（早或晚，毫秒）则拒绝',
  }),
  kind: setting(oneOf('official', 'mini').default('official'), {
    en: '`official` (also Service Accounts) or `mini` (Mini Program, Mini Game: in `job` mode all answers go out through the API, as WeChat shows none of its webhook)',
    zh: '`official`（公众号、服务号）或 `mini`（小程序、小游戏：微信不显示其 webhook 回答，`job` 模式下回答都经 API 发送）',
  }),
  accessTokenUrl: setting(unset(webAddress), {
    en: 'your own token service, answering `{access_token, expires_in}`, in place of the AppSecret',
    zh: '你自己的 token 服务，返回 `{access_token, expires_in}`，代替 AppSecret',
    defines: true,
    secret: true,
  }),
  interim: setting(unset(interim), {
    en: 'JSON: `{"text":"…","after":28}`, a text for whoever waits long; `after` in seconds, without it: when the 30 s have run out',
    zh: 'JSON：`{"text":"…","after":28}`，发给久等的用户的一句话；`after` 以秒计，不写则在 30 秒用完时发',
  }),
  customSend: setting(customSend.prefault({}), {
    en: 'JSON: `{"kfAccount":"name@account","isAiMessage":true}`, in whose name late answers and interim texts are sent, and WeChat\'s mark for what an AI has made',
    zh: 'JSON：`{"kfAccount":"名字@账号","isAiMessage":true}`，迟到的回答和等待语以谁的名义发送，以及微信的“AI 生成”标记',
    unset: '{}',
  }),
  redeliver: setting(oneOf('auto', 'off').default('auto'), {
    en: "`job` mode: a bot that lives on WeChat's repeats (an error 500 of its own within 5 s, or `success` 5 to 10 s after, with no message seen) is called again as WeChat would, three times in all; `off`: never",
    zh: '`job` 模式：依赖微信重试的机器人（5 秒内自己返回 500，或 5 至 10 秒后才返回 `success` 且没有发出消息）会像微信那样再次收到同一推送，共三次；`off`：不这样做',
  }),
  split: setting(oneOf('auto', 'off').default('auto'), {
    en: 'late answers too long for one message (texts over 2,048 bytes, several articles): `auto`: they go as several; `off`',
    zh: '一条消息装不下的迟到回答（超过 2048 字节的文本、多篇图文）：`auto`：分成几条发送；`off`：不分',
  }),
  splitEnding: setting(ending.default('…（未完）'), {
    en: 'the end of the last of them, where WeChat allows no more',
    zh: '微信不允许再发时，其中最后一条的结尾',
  }),
  typingPath: setting(unset(text.startsWith('/', { error: 'must begin with /' })), {
    en: 'path of the typing call',
    zh: 'typing 接口的路径',
    unset: { en: 'by kind', zh: '由类型决定' },
  }),
  ...forBoth,
  apiBase: setting(apiBase('https://api.weixin.qq.com'), {
    en: "base of WeChat's API",
    zh: '微信 API 的基地址',
  }),
});

export const nxcloudFields = z.strictObject({
  accessKey: setting(needed('copy the accessKey from the NXCloud console'), {
    en: 'required for an NXCloud account: its accessKey',
    zh: '牛信云账号必填：accessKey',
    defines: true,
    secret: true,
  }),
  accessSecret: setting(needed('copy the accessSecret from the NXCloud console'), {
    en: 'required for an NXCloud account: its accessSecret, which signs calls and checks callbacks',
    zh: '牛信云账号必填：accessSecret，用于给调用签名和验回调签名',
    defines: true,
    secret: true,
  }),
  accessSecretPrevious: setting(unset(text), {
    en: 'the accessSecret before, accepted on callbacks as well while you change it',
    zh: '旧的 accessSecret，更换期间验回调签名时同时接受',
    secret: true,
  }),
  appKey: setting(needed("copy the application's appkey from the NXCloud console"), {
    en: "required for an NXCloud account: the app's appkey",
    zh: '牛信云账号必填：应用的 appkey',
    defines: true,
    secret: true,
  }),
  businessPhone: setting(unset(phone), {
    en: 'WhatsApp business phone, digits, country code first',
    zh: '商户号码，只写数字，国家码在前',
    unset: { en: 'from each push', zh: '取自推送' },
    defines: true,
  }),
  appId: setting(
    unset(text.regex(/^\d{1,20}$/, { error: 'must be the digits that pushes carry as app_id' })),
    {
      en: 'digits; pushes carry it as `app_id`',
      zh: '推送中的 `app_id`，只写数字',
      unset: { en: 'any', zh: '不限' },
    },
  ),
  verifyCallbacks: setting(oneOf('auto', 'require', 'off').default('auto'), {
    en: '`auto`: check a signature that is there, and refuse pushes without one as soon as a valid one was seen; `require`: refuse them at once; `off`: check none, and forget that one was seen',
    zh: '`auto`：带签名才验，见过一次有效签名后就拒绝不带签名的；`require`：一开始就拒绝；`off`：都不验，并忘掉见过签名',
  }),
  pushMessages: setting(wholeNumber(1, 10_000).default(100), {
    en: 'a push with more messages or statuses than this goes to the bot, and nothing is typed for it',
    zh: '一次推送里的消息或状态多于此数时，只转发给机器人，不显示“正在输入”',
  }),
  messagesPerMinute: setting(wholeNumber(1, 10_000_000).default(6_000), {
    en: 'messages and statuses that one web takes up in a minute, a quarter of them at once; pushes beyond go to the bot, and nothing is typed for them',
    zh: '每个 web 进程每分钟处理的消息和状态数（一次至多四分之一）；超出的推送只转发给机器人，不显示“正在输入”',
  }),
  unsignedPerMinute: setting(wholeNumber(1, 10_000_000).default(1_200), {
    en: 'the same for pushes that nobody has signed, which count apart',
    zh: '同上，用于不带签名的推送，单独计数',
  }),
  templates: setting(oneOf('ignore', 'answer').default('ignore'), {
    en: 'whether the `sent` status of a marketing or utility template is the `answer` to whoever waits, as with a bot that answers by template; one that passes the gateway always is',
    zh: '营销或通知类模板的 `sent` 状态是否算作对等待者的回答（`answer`，用于以模板回答的机器人）；经网关发送的总是算作回答',
  }),
  groups: setting(oneOf('ignore', 'conversation').default('ignore'), {
    en: 'what a group is: `ignore`: nothing is typed in it; `conversation`: a message in it waits for an answer in it (Meta documents no typing in groups)',
    zh: '群组如何处理：`ignore`：不显示正在输入；`conversation`：群里的消息等待群里的回答（Meta 未说明群组是否支持正在输入）',
  }),
  ...forBoth,
  apiBase: setting(apiBase('https://api2.nxcloud.com'), {
    en: "base of NXCloud's API",
    zh: '牛信云 API 的基地址',
  }),
});

/** Every setting of a WeChat account but its identity: all accounts behind a third-party platform have it. */
export const templateFields = wechatFields.omit({
  appId: true,
  appSecret: true,
  token: true,
  tokenPrevious: true,
  encodingAesKey: true,
  encodingAesKeyPrevious: true,
  encryption: true,
  accessTokenUrl: true,
  apiBase: true,
});

const page = "the platform's page at open.weixin.qq.com";

export const componentFields = z.strictObject({
  appId: setting(needed(`copy the AppID from ${page}`), {
    en: 'required for a [third-party platform](docs/component.md): its AppID',
    zh: '[第三方平台](docs/component.zh-CN.md)必填：AppID',
    defines: true,
  }),
  token: setting(needed(`copy the Token from ${page}`), {
    en: 'required for a third-party platform: the Token of its message settings',
    zh: '第三方平台必填：消息校验 Token',
    defines: true,
  }),
  tokenPrevious: wechatFields.shape.tokenPrevious,
  encodingAesKey: setting(needed(`copy the message key from ${page}`).pipe(aesKey), {
    en: 'required for a third-party platform: its message key, 43 characters',
    zh: '第三方平台必填：消息加解密 Key，43 个字符',
    defines: true,
  }),
  encodingAesKeyPrevious: wechatFields.shape.encodingAesKeyPrevious,
  authorizerTokenUrl: setting(
    unset(
      webAddress.refine((url) => url.includes('{appid}'), {
        error: 'must hold {appid}: one token is not good for another account',
      }),
    ),
    {
      en: "your own service for its accounts' tokens: `https://…{appid}`",
      zh: '你自己的、提供各授权账号 token 的服务：`https://…{appid}`',
      defines: true,
    },
  ),
  authorizerTokenAuthorization: setting(
    unset(
      z
        .string({ error: 'must be a text in quotes' })
        .regex(/^[!-~]([ -~]*[!-~])?$/, { error: 'must be what stands behind "Authorization: "' }),
    ),
    { en: 'the `Authorization` header for that service', zh: '调用该服务时的 `Authorization` 头' },
  ),
  appSecret: setting(unset(text), {
    en: 'its AppSecret, in place of that service: tokens are refreshed here',
    zh: '它的 AppSecret，代替上述服务：由 keeptyping 刷新 token',
    defines: true,
  }),
  forwardUrl: setting(unset(webAddress), {
    en: 'your own service for authorization events, which had their URL before',
    zh: '你自己接收授权事件的服务（原先的授权事件接收 URL）',
    defines: true,
  }),
  minis: setting(
    z
      .array(z.string().regex(appIdPattern, { error: 'is no AppID' }), { error: 'must be a list of AppIDs' })
      .readonly()
      .default([]),
    {
      en: "JSON: AppIDs of those of its accounts that are Mini Programs or Mini Games, where the template's `kind` is `official`",
      zh: 'JSON：其中小程序、小游戏的 AppID（模板的 `kind` 为 `official` 时）',
    },
  ),
  apiBase: wechatFields.shape.apiBase,
  template: setting(templateFields.prefault({}), {
    en: "the template of all its accounts; the bot's URL may hold `{appid}`",
    zh: '所有授权账号共用的模板；机器人地址里可写 `{appid}`',
    unset: { en: 'as `WECHAT_…`', zh: '同 `WECHAT_…`' },
  }),
});

/** Whose fields these are, by what their variables begin with. */
export const sections = {
  wechat: { prefix: 'WECHAT', schema: wechatFields, called: 'an account' },
  nxcloud: { prefix: 'NXCLOUD', schema: nxcloudFields, called: 'an account' },
  component: { prefix: 'WECHAT_COMPONENT', schema: componentFields, called: 'a component' },
} as const;

export type Section = keyof typeof sections;

/** A field and its plain variable. */
export interface Variable {
  field: string;
  /** It stands in the template; its variable is like the others. */
  inTemplate: boolean;
  variable: string;
  schema: z.ZodType;
}

export function variablesOf(section: Section): Variable[] {
  const { prefix, schema } = sections[section];
  const within = (shape: Record<string, z.ZodType>, inTemplate: boolean): Variable[] =>
    Object.entries(shape).map(([field, of]) => ({
      field,
      inTemplate,
      variable: variableOf(prefix, field),
      schema: of,
    }));
  const own = within(schema.shape, false).filter(({ field }) => field !== 'template');
  return section === 'component' ? [...own, ...within(templateFields.shape, true)] : own;
}
