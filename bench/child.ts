/** Processes of the bench's own, each beside what it measures. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Server {
  /** Where it listens; NaN: nowhere. */
  port: number;
  pid: number;
  /** Resolves with what it says to that. @throws Error where it has ended */
  ask: <Said>(question: object) => Promise<Said>;
  close: () => Promise<void>;
}

/** Starts one that says where it listens. @throws Error where it ends instead */
export async function startServer(
  file: URL | string,
  words: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Server> {
  const path = file instanceof URL ? fileURLToPath(file) : file;
  const child = fork(path, words, {
    execArgv: path.endsWith('.ts') ? ['--import', 'tsx'] : [],
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
  });
  const { port = Number.NaN } = await nextOf<{ port?: number }>(child, path);
  return {
    port,
    pid: child.pid ?? 0,
    ask: (question) => {
      const said = nextOf(child, path);
      child.send(question);
      return said as Promise<never>;
    },
    close: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

async function nextOf<Said>(child: ChildProcess, path: string): Promise<Said> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error(`${basename(path)} has ended: what it wrote stands above.`);
  });
  ended.catch(() => {});
  const [said] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Said];
  over.abort();
  return said;
}
