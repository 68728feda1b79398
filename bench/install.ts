/** What keeptyping is compared with, each a package of its own under `peers/`: installed when it is first needed. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of `peers/<name>`, with all that its lock file names. */
export function installed(name: string): string {
  const folder = fileURLToPath(new URL(`peers/${name}`, import.meta.url));
  if (!existsSync(join(folder, 'node_modules')))
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'ignore' });
  return folder;
}
