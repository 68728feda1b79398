import { ConfigError } from './index.ts';

const name = '.env';

/**
 * Reads `.env` of the working folder into the process's environment, Node's own way: what is set already wins. Returns
 * the files that it has read. Not for web and worker: what starts them sets their environment.
 * @throws ConfigError where there is one that cannot be read.
 */
export function readEnvFile(): string[] {
  try {
    process.loadEnvFile(name);
    return [name];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new ConfigError([`${name}: cannot be read: let this user read it`]);
  }
}

/** One sentence for the log. */
export function settingsFrom(files: readonly string[], folder: string): string {
  const none = files.includes(name) ? '' : `; there is no ${name} in ${folder}`;
  return `Settings: from ${['the environment', ...files].join(', ')}${none}.`;
}
