/** The settings of a process that are not an account's: the table, and the configuration's names for what it holds. */
import { z } from 'zod';
import {
  collectorUrl,
  digits,
  key,
  oneOf,
  present,
  redisUrl,
  redisUrls,
  setting,
  text,
  token,
  unset,
  variableOf,
  webAddress,
  zeroOrOne,
} from './values.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const HOUR = 3_600_000;
/** WeChat hangs up after 5 s; the answer has to travel too. */
const LONGEST_HOLD = 4800;

/** By the name that the program uses; `REDIS_URL` is the variable of `redisUrl`. */
export const processFields = {
  port: setting(digits(0, 65_535).default(3000), {
    en: 'port of the HTTP server',
    zh: 'HTTP 服务监听的端口',
    heroku: false,
  }),
  host: setting(z.string().default('0.0.0.0'), {
    en: 'address that it listens on',
    zh: '监听的地址',
    heroku: false,
  }),
  redisUrl: setting(unset(redisUrl), {
    en: '`redis://` or `rediss://`; of a Cluster `redis+cluster://host:port,host:port`, behind Sentinels `redis+sentinel://host:port,host:port/name`. Unset, `npm start` uses a `redis-server` or `valkey-server` on PATH, else an embedded one; in production (`NODE_ENV=production`, or on Heroku) it is required',
    zh: '`redis://` 或 `rediss://`；Cluster 写 `redis+cluster://host:port,host:port`，Sentinel 写 `redis+sentinel://host:port,host:port/name`。不设时，`npm start` 用 PATH 上的 `redis-server` 或 `valkey-server`，再没有就用内嵌的；生产环境（`NODE_ENV=production`，或在 Heroku 上）必须设置',
  }),
  redisUrls: setting(redisUrls.default([]), {
    en: 'several, apart by blanks or commas: a shard on each, in place of `REDIS_URL`. The first one has what is not spread (accounts, tokens, the journal). Further ones are put at the end ([operations](operations.md#past-one-redis))',
    zh: '多个 Redis，用空格或逗号分隔：每个放一个分片，代替 `REDIS_URL`。第一个还保存不分片的数据（账号、令牌、日志）。要增加时加在末尾（[运维](operations.zh-CN.md#超出一个-redis)）',
    heroku: false,
  }),
  shards: setting(unset(digits(1, 1_024)), {
    en: 'how many shards conversations are spread over, each with its queues under its own hash tag',
    zh: '会话分到多少个分片，每个分片的队列有自己的 hash tag',
    unset: { en: 'as many as `REDIS_URLS` names, else 1', zh: '`REDIS_URLS` 里有几个就是几个，否则 1' },
    heroku: false,
  }),
  redisTlsRejectUnauthorized: setting(zeroOrOne.default(true), {
    en: "`0` accepts self-signed certificates over `rediss://`, as Heroku's",
    zh: '`0` 接受 `rediss://` 的自签名证书，如 Heroku 的',
    heroku: { value: '0' },
  }),
  dataDir: setting(z.string().default('data'), {
    en: 'folder of the Redis that `npm start` runs, and of the tokens that are not set',
    zh: '`npm start` 自己启动的 Redis 的数据目录；没有设置的令牌也保存在这里',
    heroku: false,
  }),
  logLevel: setting(oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'), {
    en: '`debug`, `info`, `warn`, `error`, `silent`',
    zh: '`debug`、`info`、`warn`、`error`、`silent`',
  }),
  logFormat: setting(oneOf('pretty', 'json', 'auto').default('auto'), {
    en: '`pretty`, `json`; `auto`: pretty on a terminal',
    zh: '`pretty`、`json`；`auto`：终端上用 pretty',
  }),
  holdMs: setting(digits(0, LONGEST_HOLD).default(4500), {
    en: "how long WeChat's connection is held for the bot's answer, in ms (at most 4800)",
    zh: '为等回答而保持微信连接的时间，以毫秒计，最多 4800',
  }),
  botTimeoutMs: setting(digits(100, HOUR).default(120_000), {
    en: 'how long the bot may take, in ms; less than `REPLY_DEADLINE_MS`',
    zh: '机器人最多可以想多久，以毫秒计；须小于 `REPLY_DEADLINE_MS`',
  }),
  botRetry: setting(oneOf('safe', 'always', 'never').default('safe'), {
    en: '`safe`: call the bot again only where it cannot have begun (refused, DNS, a 502 or 503 within 2 s); `always`: also resets, 500, 502, 503, 504; `never`. 3 tries in all; never after a timeout',
    zh: '`safe`：只在机器人不可能已开始处理时重试（拒绝连接、DNS、2 秒内的 502 或 503）；`always`：连接重置、500、502、503、504 也重试；`never` 不重试。共 3 次；超时从不重试',
  }),
  replyDeadlineMs: setting(digits(100, HOUR).default(600_000), {
    en: 'a message counts as unanswered after this, in ms',
    zh: '超过即视为没有回答，以毫秒计',
  }),
  typingCapMs: setting(digits(0, HOUR).default(180_000), {
    en: 'no message shows typing for longer, in ms',
    zh: '一条消息最多显示这么久，以毫秒计',
  }),
  replyConcurrency: setting(digits(1, 100_000).default(1000), {
    en: 'calls to the bot at a time, per process',
    zh: '每个进程同时调用机器人的数目',
  }),
  typingConcurrency: setting(digits(1, 100_000).default(200), {
    en: 'typing jobs at a time, per process',
    zh: '每个进程同时处理 typing 任务的数目',
  }),
  maxConnections: setting(digits(1, 1_000_000).default(10_000), {
    en: 'connections that a web has at a time; further ones are closed at once',
    zh: '每个 web 进程同时的连接数；超出的立即关闭',
  }),
  webhookBodyMb: setting(digits(1, 1_024).default(16), {
    en: 'longest push, in MiB; one of more than 1 MiB is passed on to the bot as it comes, and opens no turn',
    zh: '推送的最大长度，以 MiB 计；超过 1 MiB 的边收边转给机器人，不产生轮次',
  }),
  webhookMemoryMb: setting(digits(4, 16_384).default(64), {
    en: 'bodies of pushes that a web has in memory at a time, in MiB; what comes beyond hears 503 and is sent again by the platform',
    zh: '每个 web 进程同时在内存中的推送请求体，以 MiB 计；超出的得到 503，由平台重发',
  }),
  configDir: setting(unset(z.string()), {
    en: 'folder of `default.json` and `local.json`, for several accounts',
    zh: '`default.json` 和 `local.json` 所在目录，用于多个账号',
    unset: 'config',
  }),
  demo: setting(unset(zeroOrOne), {
    en: '`npm start`: `1` plays the demo, in place of all accounts, `0` never; unset, when no account is configured outside production. On a Redis of its own, in memory: it touches no account and no data of yours',
    zh: '只对 `npm start`：`1` 播放演示（代替所有账号），`0` 从不；不设时，非生产环境且没有账号才播放。用自己的内存 Redis，不碰您的账号和数据',
    heroku: false,
  }),
  demoBotUrl: setting(unset(webAddress), {
    en: '`npm start`: plays the demo with this bot behind its simulated WeChat, whatever accounts there are',
    zh: '只对 `npm start`：播放演示，模拟的微信后面是这个机器人，不管有没有账号',
    heroku: false,
  }),
  demoBotToken: setting(unset(text.min(1, { error: 'must not be empty' })), {
    en: 'the Token by which that bot checks signatures; the demo signs with it',
    zh: '这个机器人检查签名用的 Token；演示用它签名',
    unset: { en: 'one that nobody knows', zh: '谁也不知道的一个' },
    secret: true,
    heroku: false,
  }),
  bypass: setting(zeroOrOne.default(false), {
    en: '`1` only forwards, without Redis, jobs and typing: the panic switch',
    zh: '`1` 只转发，不用 Redis、任务和“正在输入”：应急开关',
  }),
  controlToken: setting(unset(token), {
    en: 'bearer of the control API and login of the console, at least 16 characters. Unset, `npm start` and `web` make one at their first start and keep it in `DATA_DIR`, in the file `control-token`; in production there is none, and these are off',
    zh: '控制 API 的 bearer，也用于登录控制台，至少 16 个字符。不设时，`npm start` 和 `web` 首次启动时生成一个，保存在 `DATA_DIR` 的 `control-token` 文件里；生产环境不生成，它们就是关闭的',
    heroku: { generator: 'secret' },
  }),
  controlTokenPrevious: setting(unset(token), {
    en: 'the token before, accepted as well while you change it',
    zh: '旧的那个，更换期间同时接受',
  }),
  accountsKey: setting(unset(key), {
    en: '32 bytes in base64 or hex (`openssl rand -base64 32`): closes the secrets of [accounts that are set at run time](docs/accounts.md). Unset, none can be set',
    zh: '32 字节，base64 或十六进制（`openssl rand -base64 32`）：加密[运行中添加的账号](docs/accounts.zh-CN.md)的密钥字段。不设就不能添加',
    heroku: { generator: 'secret' },
  }),
  accountsKeyPrevious: setting(unset(key), {
    en: 'the key before: what it closed is opened, and sealed anew',
    zh: '旧的那个：它加密过的会解开并重新加密',
  }),
  allowPrivateUrls: setting(zeroOrOne.default(false), {
    en: '`1`: URLs of such accounts may lead to this machine and private networks',
    zh: '`1`：这类账号的 URL 可以指向本机和内网',
  }),
  gatewayKey: setting(
    unset(
      z.string().regex(/^[A-Za-z0-9_-]{16,200}$/, { error: 'must be 16 to 200 letters, digits, _ and -' }),
    ),
    {
      en: "stands in the gateway's path, 16 to 200 letters, digits, `_` and `-`. Unset, one is made and kept in the same way, in the file `gateway-key`; in production there is none, and the gateway is off",
      zh: '写在网关的路径里，16 到 200 个字母、数字、`_` 和 `-`。不设时同样生成并保存在 `gateway-key` 文件里；生产环境不生成，网关就是关闭的',
    },
  ),
  botQueue: setting(
    unset(z.string().regex(/^[^:]+$/, { error: 'must be the name of a BullMQ queue, without a colon' })),
    { en: "the bot's own BullMQ queue, to be watched", zh: '要观察的、机器人自己的 BullMQ 队列' },
  ),
  botQueuePrefix: setting(z.string().default('bull'), {
    en: 'its prefix; on a Cluster with a hash tag, such as `{bull}`, as BullMQ wants it there',
    zh: '该队列的前缀；在 Cluster 上按 BullMQ 的要求要带 hash tag，如 `{bull}`',
  }),
  botQueueRedisUrl: setting(unset(redisUrl), {
    en: 'where that queue is',
    zh: '该队列所在的 Redis',
    unset: '`REDIS_URL`',
  }),
  journalLength: setting(digits(0, 1_000_000).default(20_000), {
    en: 'records of what happened in the last day that the console searches; about 165 bytes each on Redis, at most 500 on the embedded one. `0` keeps none',
    zh: '控制台可查的最近一天的记录条数；在 Redis 上每条约 165 字节，内嵌的 Redis 上最多 500 条。`0` 不记录',
  }),
  metricsPort: setting(unset(digits(0, 65_535)), {
    en: 'a worker answers `/healthz` and `/metrics` there',
    zh: 'worker 在此端口回答 `/healthz` 和 `/metrics`',
    heroku: false,
  }),
  metricsToken: setting(unset(token), {
    en: "bearer of `/metrics`, at least 16 characters; the control token opens it too. Neither set, and none kept: the web's answers nobody; a worker's answers whoever reaches `METRICS_PORT`, unless this one is set",
    zh: '`/metrics` 的 bearer，至少 16 个字符；控制令牌也可以打开它。两者都未设置、也没有保存的令牌时：web 谁也不回答；worker 回答所有能访问 `METRICS_PORT` 的人，除非设置了本项',
    heroku: { generator: 'secret' },
  }),
  otelExporterOtlpEndpoint: setting(unset(collectorUrl), {
    en: 'a collector of traces, OTLP over HTTP, such as `http://collector:4318`; unset: none are made. [docs/metrics.md](docs/metrics.md#traces)',
    zh: '链路追踪的 collector（OTLP over HTTP），如 `http://collector:4318`；未设置则不产生追踪。见 [docs/metrics.zh-CN.md](docs/metrics.zh-CN.md#链路追踪)',
  }),
  otelExporterOtlpTracesEndpoint: setting(unset(collectorUrl), {
    en: 'the same with its whole path, for traces alone',
    zh: '同上，但写完整路径，只用于追踪',
  }),
  otelServiceName: setting(z.string().default('keeptyping'), {
    en: 'its name in traces',
    zh: '追踪中的服务名',
  }),
  // What calls the platforms reads these two by itself.
  httpsProxy: setting(unset(z.string()), {
    en: 'proxy for calls to the platforms, not to the bot: for a fixed outgoing address',
    zh: '调用平台时用的代理（固定出口 IP）；调用机器人不走代理',
  }),
  noProxy: setting(unset(z.string()), {
    en: 'hosts that are called without the proxy, separated by commas',
    zh: '不走代理的主机，以逗号分隔',
  }),
  // Said by the host.
  nodeEnv: unset(z.string()),
  dyno: unset(z.string()),
};

const variables = z
  .object(processFields)
  .refine((read) => read.botTimeoutMs < read.replyDeadlineMs, {
    path: ['botTimeoutMs'],
    error: 'must be less than REPLY_DEADLINE_MS, or a turn ends before its bot may',
    when: ({ issues }) =>
      !issues.some(({ path }) => path?.[0] === 'botTimeoutMs' || path?.[0] === 'replyDeadlineMs'),
  })
  .refine(({ shards, redisUrls: urls }) => shards === null || urls.length === 0 || shards <= urls.length, {
    path: ['shards'],
    error: 'must be no more than REDIS_URLS names: each shard is on one of them',
    when: ({ issues }) => !issues.some(({ path }) => path?.[0] === 'shards' || path?.[0] === 'redisUrls'),
  })
  .refine((read) => read.accountsKey !== null || read.accountsKeyPrevious === null, {
    path: ['accountsKeyPrevious'],
    error: 'is set without ACCOUNTS_KEY: set the new key there',
  });

export type Settings = z.output<typeof variables>;

/** What is wrong with a variable; the sentence goes on after its name and shows no value. */
interface SettingFault {
  field: string;
  variable: string;
  is: string;
}

/** Reads the settings; an empty variable counts as unset. */
export function readSettings(environment: Environment): { settings: Settings } | { faults: SettingFault[] } {
  const set = Object.keys(processFields).flatMap((field) => {
    const value = environment[variableOf('', field)] ?? '';
    return value === '' ? [] : [[field, value]];
  });
  const read = variables.safeParse(Object.fromEntries(set));
  if (read.success) return { settings: read.data };
  const faults = read.error.issues.map(({ path, message }) => {
    const field = path.join('.');
    return { field, variable: variableOf('', field), is: message };
  });
  return { faults };
}

export function isProduction({ nodeEnv, dyno }: Settings): boolean {
  return nodeEnv === 'production' || dyno !== null;
}

/** The settings as the program has them: most under their own names, some put together. */
export function nameSettings(settings: Settings) {
  const { nodeEnv: _, configDir: _dir, httpsProxy: _proxy, noProxy: _direct, ...read } = settings;
  const { controlToken, controlTokenPrevious, accountsKey, accountsKeyPrevious, ...rest } = read;
  const { botQueue: queue, botQueuePrefix, botQueueRedisUrl, shards, redisUrl: oneUrl, ...others } = rest;
  const { otelExporterOtlpEndpoint: base, otelExporterOtlpTracesEndpoint, otelServiceName, ...own } = others;
  // The endpoint for all signals is a base; the one for traces is taken as it is.
  const whole = base === null ? null : `${base.replace(/\/$/, '')}/v1/traces`;
  const traces = otelExporterOtlpTracesEndpoint ?? whole;
  return {
    ...own,
    /** Of the first shard's Redis; null: none is set. */
    redisUrl: own.redisUrls[0] ?? oneUrl,
    shards: shards ?? Math.max(1, own.redisUrls.length),
    /** `NODE_ENV=production`, or on a Heroku dyno. */
    production: isProduction(settings),
    /** Bearers of the control API, the present one first; empty: it answers nobody, and in the demo this machine. */
    controlTokens: present(controlToken, controlTokenPrevious),
    /** What closes the secrets of accounts that are set at run time, in hex, the present one first; empty: none are. */
    accountsKeys: present(accountsKey, accountsKeyPrevious),
    /** The bot's own BullMQ queue; `redisUrl` null: on keeptyping's Redis. */
    botQueue: queue === null ? null : { name: queue, prefix: botQueuePrefix, redisUrl: botQueueRedisUrl },
    /** Where traces go, and under which name; null: none are made. */
    traces: traces === null ? null : { url: traces, serviceName: otelServiceName },
  };
}

export type ProcessConfig = ReturnType<typeof nameSettings>;
