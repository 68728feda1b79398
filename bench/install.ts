/** What keeptyping is compared with, each a package of its own under `peers/`: installed when it is first needed. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folderOf = (name: string): string => fileURLToPath(new URL(`peers/${name}`, import.meta.url));

/**
 * The folder of `peers/<name>`, with all that its lock file names.
 * @throws Error when npm cannot install that
 */
export function installed(name: string): string {
  const folder = folderOf(name);
  if (!existsSync(join(folder, 'node_modules')))
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: 'ignore',
    });
  return folder;
}

/** What `peers/<name>` depends on, with versions; null: on nothing. */
export function packagesOf(name: string): string | null {
  const file = join(folderOf(name), 'package.json');
  if (!existsSync(file)) return null;
  const { dependencies } = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> };
  return Object.entries(dependencies)
    .map(([each, version]) => `${each} ${version}`)
    .join(', ');
}
