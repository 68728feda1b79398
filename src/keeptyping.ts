#!/usr/bin/env node
/** `npx keeptyping`: one name for all that can be started here, each as by its own file. */
import { readFileSync } from 'node:fs';

const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  start: () => import('./main.ts'),
  web: () => import('./web.ts'),
  worker: () => import('./worker.ts'),
  doctor: () => import('./doctor.ts'),
  replies: () => import('./replies.ts'),
};

const usage = `Usage: keeptyping [command]
  start     (or nothing) what the environment configures, in one process; the demo when nothing is configured
  web       takes webhooks, and calls the bot; needs REDIS_URL
  worker    types; needs REDIS_URL
  doctor    checks the configuration against the live services: keeptyping doctor --help
  replies   the reply jobs that failed: keeptyping replies --help
Settings come from the environment: see docs/settings.md.
`;

const [word = 'start'] = process.argv.slice(2);
const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
if (command !== undefined) {
  // What follows is the command's own.
  process.argv.splice(2, 1);
  await command();
} else if (word === '--help' || word === '-h') process.stdout.write(usage);
else if (word === '--version' || word === '-v') process.stdout.write(`${versionOf()}\n`);
else {
  process.stderr.write(`${word} is no command of keeptyping: see keeptyping --help.\n`);
  process.exitCode = 1;
}

function versionOf(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
