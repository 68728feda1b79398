import { type DestinationStream, type LoggerOptions, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Log } from './core/ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'pretty' | 'json' | 'auto';

/** Nothing writes these on purpose; should one slip into a line's fields, its value does not get out. */
const SECRETS = [
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
  'refreshToken',
  'secret',
  'sign',
  'ticket',
  'token',
  'tokenPrevious',
  'tokens',
];

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
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[hidden]' },
    serializers: { err: describeError, error: describeError, cause: describeError },
  };
  const readable = options.format === 'auto' ? process.stdout.isTTY : options.format === 'pretty';
  // Lines that come together are written together, and all of them before an exit.
  const output = destination ?? pino.destination({ dest: 1, sync: false });
  const logger = pino(settings, readable ? makeReadable(output, destination === undefined) : output);
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
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
