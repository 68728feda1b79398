import { type DestinationStream, type LoggerOptions, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Log } from './core/ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'pretty' | 'json' | 'auto';

/** Nothing writes these on purpose; should one slip into a line's fields, its value does not get out. */
const secrets = new Set([
  'accessKey',
  'accessSecret',
  'accessSecretPrevious',
  'accessSecrets',
  'accessToken',
  'accessTokenUrl',
  'access_token',
  'accountsKeys',
  'appKey',
  'appSecret',
  'authorization',
  'authorizerTokenAuthorization',
  'authorizerTokenUrl',
  'body',
  'controlTokens',
  'encodingAesKey',
  'encodingAesKeyPrevious',
  'encodingAesKeys',
  'gatewayKey',
  'password',
  'redisUrl',
  'redisUrls',
  'refreshToken',
  'secret',
  'sign',
  'ticket',
  'token',
  'tokenPrevious',
  'tokens',
]);

/**
 * The log of a process.
 * @param options.format `auto`: lines to read on a terminal, JSON elsewhere.
 * @param destination Where the lines go. @default standard output
 */
export function createLog(
  options: { level: LogLevel; format: LogFormat },
  destination?: DestinationStream,
): Log {
  const settings: LoggerOptions = {
    level: options.level,
    // pino's own redaction copies every line: it took a third of what a line costs.
    formatters: { log: (fields) => hideSecrets(fields, secretsDepth) },
    serializers: { err: describeError, error: describeError, cause: describeError },
  };
  const readable = options.format === 'auto' ? process.stdout.isTTY : options.format === 'pretty';
  const output = destination ?? writeTogether(pino.destination({ dest: 1, sync: false, minLength: 4_096 }));
  const logger = pino(settings, readable ? makeReadable(output, destination === undefined) : output);
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}

/** Each write takes a thread: what comes within this time (ms) goes out at once, and all of it before an exit. */
const together = 20;

function writeTogether(output: ReturnType<typeof pino.destination>): DestinationStream {
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    output.flush();
  };
  output.once('close', () => clearTimeout(timer));
  return {
    write: (line) => {
      output.write(line);
      timer ??= setTimeout(flush, together).unref();
    },
  };
}

const secretsDepth = 2;

/** The same object where there is nothing to hide; errors have their own serializer. */
function hideSecrets(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  let shown: Record<string, unknown> | null = null;
  for (const [name, value] of Object.entries(fields)) {
    const safe = secrets.has(name)
      ? '[hidden]'
      : depth > 0 && isOpen(value)
        ? hideSecrets(value, depth - 1)
        : value;
    if (safe !== value) shown = { ...(shown ?? fields), [name]: safe };
  }
  return shown ?? fields;
}

function isOpen(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Error);
}

/** Line by line. */
function makeReadable(output: DestinationStream, toTerminal: boolean): DestinationStream {
  const format = prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    colorize: toTerminal && process.stdout.isTTY,
  });
  return { write: (line) => output.write(format(line)) };
}

/**
 * pino's own serializer copies every property of an error: axios hangs the request with its body and access token on
 * it, ioredis the command with its arguments.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return {
    type: error.name,
    message: hideTokens(error.message),
    ...code,
    ...cause,
    stack: hideTokens(error.stack ?? ''),
  };
}

function hideTokens(text: string): string {
  return text.replace(/(access_token=)[^&\s"']+/g, '$1[hidden]');
}
