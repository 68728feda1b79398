// `npm ci` builds. Without the development packages there is nothing to build with: then dist/ has to be there already.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

if (existsSync(here('node_modules/typescript'))) {
  execFileSync('npm', ['run', 'build'], {
    cwd: here('.'),
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
} else if (!existsSync(here('dist/main.js'))) {
  console.error('keeptyping is not built, and TypeScript is not installed: run npm ci --include=dev.');
  process.exit(1);
}
