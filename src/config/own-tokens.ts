/** Tokens that nobody has set: made at the first start, and kept in the data folder. */
import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Log } from '../core/ports.ts';
import type { Config } from './index.ts';

/** Their names in the data folder; each holds one line. */
const tokenFiles = { CONTROL_TOKEN: 'control-token', GATEWAY_KEY: 'gateway-key' } as const;

export interface ProvidedTokens {
  config: Config;
  /** The control token is one of these: nobody was told it, so that whoever starts the process needs another way in. */
  ownsControl: boolean;
}

/**
 * The configuration with a control token and a gateway key, whoever made them. The demo needs none; in production,
 * where processes share no folder, whoever sets none has the routes switched off. Never rejects: a folder that takes
 * no file is told, and those routes are off.
 */
export async function provideTokens(config: Config, log: Log): Promise<ProvidedTokens> {
  const ownsControl = config.controlTokens.length === 0;
  const ownsKey = config.gatewayKey === null;
  if (config.production || config.demo || !(ownsControl || ownsKey)) return { config, ownsControl: false };
  const keep = (name: keyof typeof tokenFiles): Promise<string> => keepToken(config.dataDir, { name, log });
  try {
    const controlTokens = ownsControl ? [await keep('CONTROL_TOKEN')] : config.controlTokens;
    const gatewayKey = config.gatewayKey ?? (await keep('GATEWAY_KEY'));
    return { config: Object.freeze({ ...config, controlTokens, gatewayKey }), ownsControl };
  } catch (error) {
    const remedy = 'Let DATA_DIR name a folder that can be written, or set CONTROL_TOKEN and GATEWAY_KEY.';
    log.warn({ error }, `No token can be kept: what needs one is off. ${remedy}`);
    return { config, ownsControl: false };
  }
}

/** Where the token of that name is kept when it is not set. */
export function tokenFile(folder: string, name: keyof typeof tokenFiles): string {
  return resolve(folder, tokenFiles[name]);
}

async function keepToken(
  folder: string,
  { name, log }: { name: keyof typeof tokenFiles; log: Log },
): Promise<string> {
  const file = tokenFile(folder, name);
  const token = (await readToken(file)) ?? (await makeToken(folder, file));
  log.info({}, `${name} is not set: ${file} holds the one that is used.`);
  if (await isOpenToOthers(file))
    log.warn({}, `Other users of this machine may read ${file}: delete it, and start again, for a new one.`);
  return token;
}

/** As one that was put there by hand. Windows knows no such modes. */
async function isOpenToOthers(file: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0;
}

/** null: there is no such file. */
async function readToken(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const token = text.trim();
  if (!/^[\w-]{16,200}$/.test(token))
    throw new Error(`${file} holds no token of 16 to 200 letters, digits, _ and -: delete it.`);
  return token;
}

/** Of two processes that start at once the first one's counts, and no file is ever there without its token. */
async function makeToken(folder: string, file: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const token = randomBytes(24).toString('base64url');
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, `${token}\n`, { mode: 0o600 });
  try {
    await link(draft, file);
    return token;
  } catch (error) {
    const others = codeOf(error) === 'EEXIST' ? await readToken(file) : null;
    if (others === null) throw error;
    return others;
  } finally {
    await rm(draft, { force: true });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
