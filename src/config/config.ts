import type { Channel } from '../core/platform.ts';
import type { WechatComponent } from '../wechat/component/component.ts';
import type { Account } from './accounts.ts';
import type { Settings } from './settings.ts';

/** Where a plain forwarder sends an account's pushes. */
export interface Forward {
  channel: Channel;
  /** `<component>.*`: each account behind that third-party platform; its URL may hold `{appid}`. */
  account: string;
  /** null: its pushes go nowhere; the bot's own calls still pass the gateway. */
  botUrl: string | null;
  /** Where the gateway passes the bot's own calls on to. */
  apiBase: string;
}

export interface Config {
  /** `NODE_ENV=production`, or on a Heroku dyno. */
  production: boolean;
  port: number;
  host: string;
  redisUrl: string | null;
  redisTlsRejectUnauthorized: boolean;
  logLevel: Settings['LOG_LEVEL'];
  /** `auto`: pretty on a terminal, else json. */
  logFormat: Settings['LOG_FORMAT'];
  holdMs: number;
  botTimeoutMs: number;
  botRetry: Settings['BOT_RETRY'];
  replyDeadlineMs: number;
  typingCapMs: number;
  replyConcurrency: number;
  typingConcurrency: number;
  /** Bearers of the control API, the present one first; empty: it answers this machine only, in production nobody. */
  controlTokens: readonly string[];
  /** What closes the secrets of accounts that are set at run time, in hex, the present one first; empty: none are. */
  accountsKeys: readonly string[];
  /** URLs that are set at run time may lead to this machine and its network. */
  allowPrivateUrls: boolean;
  /** Stands in the gateway's path; null: as above. */
  gatewayKey: string | null;
  /** The bot's own BullMQ queue; `redisUrl` null: on keeptyping's Redis. */
  botQueue: { name: string; prefix: string; redisUrl: string | null } | null;
  metricsPort: number | null;
  /** Bearer of the metrics alone; null: they are for whoever has a control token. */
  metricsToken: string | null;
  /** Where traces go, and under which name; null: none are made. */
  traces: { url: string; serviceName: string } | null;
  /** Its name, on a Heroku dyno. */
  dyno: string | null;
  /** Records of what happened, at most; 0: none are kept. */
  journalLength: number;
  dataDir: string;
  /** Asked for by `DEMO`; without a word of it, when no account is configured outside production. */
  demo: boolean;
  /** With `BYPASS=1` all there is: no accounts are read. Else null. */
  bypass: readonly Forward[] | null;
  accounts: readonly Account[];
  /** WeChat's third-party platforms. */
  components: readonly WechatComponent[];
  /** Those of them that plain variables define, as `channel/name`; the others stand in files. */
  fromEnvironment: readonly string[];
  /** One sentence each, for the log. */
  warnings: readonly string[];
}

export function isProduction(settings: Settings): boolean {
  return settings.NODE_ENV === 'production' || settings.DYNO !== undefined;
}

function readBotQueue(settings: Settings): Config['botQueue'] {
  const { BOT_QUEUE: name, BOT_QUEUE_PREFIX: prefix, BOT_QUEUE_REDIS_URL: redisUrl = null } = settings;
  return name === undefined ? null : { name, prefix, redisUrl };
}

/** The endpoint for all signals is a base; the one for traces is taken as it is. */
function readTraces(settings: Settings): Config['traces'] {
  const { OTEL_SERVICE_NAME: serviceName, OTEL_EXPORTER_OTLP_ENDPOINT: base } = settings;
  const whole = base === undefined ? undefined : `${base.replace(/\/$/, '')}/v1/traces`;
  const url = settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? whole;
  return url === undefined ? null : { url, serviceName };
}

/** The settings under the names that the program uses. */
export function nameSettings(
  settings: Settings,
): Omit<Config, 'demo' | 'bypass' | 'accounts' | 'components' | 'fromEnvironment' | 'warnings'> {
  return {
    production: isProduction(settings),
    port: settings.PORT,
    host: settings.HOST,
    redisUrl: settings.REDIS_URL ?? null,
    redisTlsRejectUnauthorized: settings.REDIS_TLS_REJECT_UNAUTHORIZED,
    logLevel: settings.LOG_LEVEL,
    logFormat: settings.LOG_FORMAT,
    holdMs: settings.HOLD_MS,
    botTimeoutMs: settings.BOT_TIMEOUT_MS,
    botRetry: settings.BOT_RETRY,
    replyDeadlineMs: settings.REPLY_DEADLINE_MS,
    typingCapMs: settings.TYPING_CAP_MS,
    replyConcurrency: settings.REPLY_CONCURRENCY,
    typingConcurrency: settings.TYPING_CONCURRENCY,
    controlTokens: present(settings.CONTROL_TOKEN, settings.CONTROL_TOKEN_PREVIOUS),
    accountsKeys: present(settings.ACCOUNTS_KEY, settings.ACCOUNTS_KEY_PREVIOUS),
    allowPrivateUrls: settings.ALLOW_PRIVATE_URLS,
    gatewayKey: settings.GATEWAY_KEY ?? null,
    botQueue: readBotQueue(settings),
    metricsPort: settings.METRICS_PORT ?? null,
    metricsToken: settings.METRICS_TOKEN ?? null,
    traces: readTraces(settings),
    dyno: settings.DYNO ?? null,
    journalLength: settings.JOURNAL_LENGTH,
    dataDir: settings.DATA_DIR,
  };
}

function present(...values: (string | undefined)[]): string[] {
  return values.filter((value) => value !== undefined);
}
