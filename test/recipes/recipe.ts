/** The code blocks of docs/recipes.md, run as a reader would run them: the real packages, in a process of their own. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { Simulator } from '../../src/simulator/index.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The address that the page's examples bear. */
const EXAMPLE = 'http://127.0.0.1:3000';

/** Where the bot's settings are found: a simulator, or its defaults. */
export type Platforms = { [Channel in 'wechat' | 'nxcloud']: Pick<Simulator[Channel], 'options'> };

/** The code blocks right below a heading of a page, such as `docs/recipes.md`. Rejects where there are none. */
export async function blocksUnder(
  page: string,
  heading: string,
): Promise<{ language: string; code: string }[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  // What looks like a heading in a code block is a comment there.
  const parts = text.matchAll(/^```(\w*)\n(.*?)^```$|^#+ ([^\n]*)$/gms);
  const blocks: { language: string; code: string }[] = [];
  let isBelow = false;
  for (const [, language = '', code, title] of parts) {
    if (title !== undefined) isBelow = title === heading;
    else if (isBelow && code !== undefined) blocks.push({ language, code });
  }
  if (blocks.length === 0) throw new Error(`${page} has no code below "${heading}".`);
  return blocks;
}

/** The JavaScript below a heading of docs/recipes.md. */
export async function recipe(heading: string): Promise<string> {
  const blocks = await blocksUnder('docs/recipes.md', heading);
  const block = blocks.find(({ language }) => language === 'js');
  if (block === undefined) throw new Error(`docs/recipes.md has no JavaScript below "${heading}".`);
  return block.code;
}

/** The same with the gateway's address in place of the example's. */
export function through(origin: string, code: string): string {
  if (!code.includes(EXAMPLE)) throw new Error(`The recipe does not name ${EXAMPLE}: nothing to replace.`);
  return code.replaceAll(EXAMPLE, origin);
}

/** Runs it to its end. Rejects with what it wrote to stderr when it fails. */
export async function run(code: string, platforms: Platforms, cwd = ROOT): Promise<void> {
  await promisify(execFile)(process.execPath, asModule(code), { ...placeOf(platforms), cwd });
}

/** Runs it until the test ends. Resolves with the first line that it prints. */
export async function serve(
  code: string,
  platforms: Platforms,
  environment: Record<string, string> = {},
): Promise<string> {
  const { cwd, env } = placeOf(platforms);
  const bot = spawn(process.execPath, asModule(code), {
    cwd,
    env: { ...env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void bot.kill());
  const ended = new AbortController();
  bot.once('exit', () => ended.abort(new Error('The bot ended before it printed anything.')));
  const [line] = await once(bot.stdout, 'data', { signal: ended.signal });
  return String(line).trim();
}

function asModule(code: string): string[] {
  return ['--input-type=module', '--eval', code];
}

/** In the checkout, where the packages are, and with the bot's own settings, not with this process's. */
export function placeOf({ wechat, nxcloud }: Platforms): { cwd: string; env: NodeJS.ProcessEnv } {
  const env = {
    PATH: process.env['PATH'],
    WECHAT_APP_ID: wechat.options.appId,
    WECHAT_APP_SECRET: wechat.options.appSecret,
    WECHAT_TOKEN: wechat.options.token,
    NXCLOUD_ACCESS_KEY: nxcloud.options.accessKey,
    NXCLOUD_ACCESS_SECRET: nxcloud.options.accessSecret,
    NXCLOUD_APP_KEY: nxcloud.options.appKey,
    NXCLOUD_BUSINESS_PHONE: nxcloud.options.businessPhone,
  };
  return { cwd: ROOT, env };
}
