import { readFileSync } from 'node:fs';
import { readEnvFile } from '../config/env-file.ts';
import { type Config, ConfigError, loadConfig, type Skipped } from '../config/index.ts';
import { type Log, StartError } from '../core/ports.ts';
import { createLog } from '../log.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { createToldReleases, limited, type Releases } from './releases.ts';

interface StartedProcess {
  config: Config;
  /** Those that the configuration was read from, beside the environment. */
  files: readonly string[];
  skipped: readonly Skipped[];
  log: Log;
  releases: Releases;
  /** Releases everything and ends the process. */
  stop: (code: number) => void;
}

/** Heroku kills 30 s after SIGTERM: what is not done by then is left to another process (ms). */
const stopLimit = 24_000;

interface RunOptions {
  /** Reads `.env` too. What starts a web or a worker sets its environment. */
  envFile: boolean;
  /** The words of the command line that the process has not read itself: it knows no others. @default all of them */
  unread?: readonly string[];
}

/** What a terminal, a shell or a service manager ends a process with. */
const ending = ['SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * One process: loads the configuration, starts, and when it is to end releases everything in reverse order: on a signal,
 * and when the npm that started it is gone.
 */
export async function run(
  { envFile, unread = process.argv.slice(2) }: RunOptions,
  start: (started: StartedProcess) => Promise<void>,
): Promise<void> {
  const [word] = unread;
  if (word !== undefined)
    exitWith(
      `${word} is no option: settings come from the environment, as PORT=8080 (docs/settings.md has the list).`,
    );
  const { config, skipped, files } = loadOrExit(envFile);
  const log = createLog({ level: config.logLevel, format: config.logFormat });
  for (const warning of config.warnings) log.warn({}, warning);
  for (const { account, reason } of skipped) log.error({ account }, `This account is skipped: ${reason}`);
  const releases = createToldReleases(log);
  let stopping = false;
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(code), stopLimit).unref();
    void releases.all().finally(() => process.exit(code));
  };
  for (const signal of ending) process.on(signal, () => stop(0));
  if (process.env['npm_lifecycle_event'] === 'start') whenNpmIsGone(() => stop(0));
  // A second Ctrl-C waits for nothing.
  process.on('SIGINT', () => (stopping ? process.exit(130) : stop(0)));
  try {
    await start({ config, files, skipped, log, releases, stop });
  } catch (error) {
    const fields = error instanceof StartError ? {} : { error };
    log.error(fields, error instanceof Error ? error.message : 'keeptyping could not start.');
    stop(1);
  }
}

/** ms */
const lookForNpmEvery = 500;

/**
 * npm passes SIGTERM on to the shell between, which ends and tells nobody, and passes SIGHUP and SIGKILL to nobody. Who
 * starts a process any other way may well go and let it live on.
 */
function whenNpmIsGone(gone: () => void): void {
  const first = startedBy();
  const timer = setInterval(() => {
    if (startedBy() === first) return;
    clearInterval(timer);
    gone();
  }, lookForNpmEvery);
  timer.unref();
}

/** The parent, and the shell's parent where it is one that did not make itself this process (Linux: dash, ash). */
function startedBy(): string {
  const { ppid } = process;
  try {
    const [, npm = ''] = /^\d+ \(\w*sh\) \S (\d+)/.exec(readFileSync(`/proc/${ppid}/stat`, 'utf8')) ?? [];
    return `${ppid} ${npm}`;
  } catch {
    return `${ppid} `;
  }
}

function loadOrExit(envFile: boolean): ReturnType<typeof loadConfig> {
  try {
    const first = envFile ? readEnvFile() : [];
    const { files, ...loaded } = loadConfig(process.env);
    return { ...loaded, files: [...first, ...files] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    exitWith(error.message);
  }
}

function exitWith(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

/** A stopping process has better things to do than to wait for a collector that hangs (ms). */
const flushLimit = 2_000;

/** Traces, where the configuration names a collector; else its SDK is not even loaded. */
export async function openTracing(
  { traces }: Pick<Config, 'traces'>,
  { log, releases }: { log: Log; releases: Releases },
): Promise<Tracing | null> {
  if (traces === null) return null;
  const { startTracing } = await import('../tracing/tracing.ts');
  const tracing = startTracing({ ...traces, log });
  releases.add('traces', () => limited(tracing.stop(), flushLimit));
  return tracing;
}
