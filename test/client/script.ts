import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const client = new URL('../../src/client/index.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  code: unknown;
  output: string;
  errors: string;
}

/** Runs an ES module, whose `keeptyping/client` is the source here, in a process of its own, to its end. */
export async function runScript(source: string, environment: Record<string, string> = {}): Promise<Ended> {
  const script = source.replaceAll("'keeptyping/client'", `'${client}'`);
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[code], output, errors] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, output, errors };
}
