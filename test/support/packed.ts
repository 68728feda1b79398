/** Both packages as npm would publish them, from what `npm run build` has made, in the folder of a bot. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));

const packed = z.array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }));

/** The files that npm has put into each package. */
export interface Packages {
  server: string[];
  client: string[];
}

/** Packs both and installs them for a bot, without what the server depends on; no registry is asked. */
export function installPacked(bot: string, checkout = root): Packages {
  mkdirSync(bot, { recursive: true });
  writeFileSync(join(bot, 'package.json'), '{ "name": "bot", "private": true }');
  const client = pack(join(checkout, 'packages', 'client'), bot);
  npm(['install', '--offline', '--no-audit', '--no-fund', `./${client.filename}`], bot);
  const server = pack(checkout, bot);
  const installed = join(bot, 'node_modules', 'keeptyping');
  mkdirSync(installed);
  execFileSync('tar', ['-xzf', join('..', '..', server.filename), '--strip-components=1'], {
    cwd: installed,
  });
  return { server: server.files, client: client.files };
}

/** Packages of this checkout, for the bot to import. */
export function lend(bot: string, names: readonly string[]): void {
  for (const name of names) {
    const place = join(bot, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), place, 'junction');
  }
}

/** Gives the installed server what it depends on: that of this checkout. Resolves to the file that `npx keeptyping` runs. */
export function completeServer(bot: string): string {
  const installed = join(bot, 'node_modules', 'keeptyping');
  symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'), 'junction');
  const manifest = z.object({ bin: z.object({ keeptyping: z.string() }) });
  const { bin } = manifest.parse(JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')));
  return join(installed, bin.keeptyping);
}

function pack(folder: string, to: string): { filename: string; files: string[] } {
  const output = npm(['pack', '--json', '--ignore-scripts', '--offline', '--pack-destination', to], folder);
  const [one] = packed.parse(JSON.parse(output));
  if (one === undefined) throw new Error(`npm packed nothing in ${folder}.`);
  return { filename: one.filename, files: one.files.map(({ path }) => path) };
}

function npm(words: string[], cwd: string): string {
  return execFileSync('npm', words, { cwd, encoding: 'utf8', shell: process.platform === 'win32' });
}
