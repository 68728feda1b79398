import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { findServer, type ProvideOptions, provideRedis } from '../../src/redis/by-itself.ts';
import { closeConnection } from '../../src/redis/connect.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';

const path = process.env['PATH'] ?? '';
const installed = (await findServer(path)) !== null;
const releases: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'keeptyping-'));
  releases.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

function optionsFor(dataDir: string, changes: Partial<ProvideOptions> = {}): ProvideOptions {
  return { url: null, production: false, dataDir, path, log: recordLog(), ...changes };
}

async function start(options: ProvideOptions) {
  const redis = await provideRedis(options);
  releases.push(() => redis.stop());
  return redis;
}

function client(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  redis.on('error', () => {});
  releases.push(() => closeConnection(redis));
  return redis;
}

async function processIdOf(redis: Redis): Promise<number> {
  return Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a Redis from wherever there is one', () => {
  test('REDIS_URL is taken as it is and nothing is started', async () => {
    const dataDir = await folder();
    const redis = await start(optionsFor(dataDir, { url: 'redis://elsewhere:6379', production: true }));
    expect(redis).toMatchObject({ url: 'redis://elsewhere:6379', kind: 'given', where: null });
    expect(await readdir(dataDir)).toEqual([]);
  });

  test('production without REDIS_URL is refused, with the remedy', async () => {
    const options = optionsFor(await folder(), { production: true });
    await expect(provideRedis(options)).rejects.toThrow(/^REDIS_URL is missing: in production set it/);
  });

  test('without a redis-server on PATH it is the embedded one, and the log says that it forgets', async () => {
    const log: RecordedLog = recordLog();
    const redis = await start(optionsFor(await folder(), { path: '/nowhere', log }));
    expect(redis).toMatchObject({ kind: 'embedded', where: null, eventsMaxLen: 20 });
    expect(await client(redis.url).ping()).toBe('PONG');
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('memory only') });
  });

  test('the embedded one is reachable from this machine only', async () => {
    const redis = await start(optionsFor(await folder(), { bundled: 'embedded' }));
    const port = Number(new URL(redis.url).port);
    const outside = Object.values(networkInterfaces())
      .flat()
      .filter((address) => address !== undefined && !address.internal && address.family === 'IPv4')
      .map((address) => address?.address ?? '');
    for (const host of [...outside, '127.0.0.2']) {
      const socket = connect({ host, port });
      await expect(once(socket, 'connect')).rejects.toThrow(/ECONNREFUSED/);
    }
  });

  test('the embedded one ends although somebody is still connected', async () => {
    const redis = await provideRedis(optionsFor(await folder(), { bundled: 'embedded' }));
    const forgotten = client(redis.url);
    await forgotten.ping();
    const lost = new Promise((resolve) => forgotten.once('close', () => resolve('closed')));
    await redis.stop();
    expect(await lost).toBe('closed');
  });
});

/** Sends it all at once. Resolves with what comes back until the other side hangs up. */
async function speak(url: string, text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  releases.push(async () => socket.destroy());
  let said = '';
  socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // Whoever hangs up on what has not been read resets the connection.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(text);
  await closed;
  return said;
}

describe.each(installed ? (['embedded', 'private'] as const) : (['embedded'] as const))(
  'the %s one',
  (bundled) => {
    test('lets nobody in without its password, which is another each time', async () => {
      const [one, other] = [
        await start(optionsFor(await folder(), { bundled })),
        await start(optionsFor(await folder(), { bundled })),
      ];
      const passwords = [one, other].map(({ url }) => new URL(url).password);
      expect(passwords).toEqual([expect.stringMatching(/^[\w-]{32}$/), expect.stringMatching(/^[\w-]{32}$/)]);
      expect(passwords[0]).not.toBe(passwords[1]);
      const stranger = client(one.url.replace(/:[^:@]*@/, ''));
      await expect(stranger.set('x', '1')).rejects.toThrow(/NOAUTH/);
      const wrong = client(one.url.replace(passwords[0] ?? '', passwords[1] ?? ''));
      await expect(wrong.set('x', '1')).rejects.toThrow(/NOAUTH|WRONGPASS/);
      expect(await client(one.url).exists('x')).toBe(0);
    });

    // Cross-protocol scripting: https://www.agarri.fr/kom/archives/2014/09/11/trying_to_hack_redis_via_http_requests/
    test('hangs up on a request of a browser, and carries out nothing of its body', async () => {
      const { url } = await start(optionsFor(await folder(), { bundled }));
      const { password, host } = new URL(url);
      const commands = `\r\nAUTH ${password}\r\nSET from-a-page 1\r\n`;
      const requests = [
        `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Type: text/plain\r\n${commands}`,
        `PUT / HTTP/1.1\r\nhost: ${host}\r\n${commands}`,
      ];
      for (const request of requests) expect(await speak(url, request)).not.toContain('+OK');
      const redis = client(url);
      expect(await redis.exists('from-a-page')).toBe(0);
      expect(await redis.set('Host:', 'POST')).toBe('OK');
    });

    test('gives nothing to who waited for it and has gone', async () => {
      const { url } = await start(optionsFor(await folder(), { bundled }));
      const gone = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
      releases.push(async () => gone.destroy());
      gone.write(`AUTH ${new URL(url).password}\r\nBZPOPMIN queue 60\r\n`);
      expect(String((await once(gone, 'data'))[0])).toBe('+OK\r\n');
      const redis = client(url);
      await redis.ping();
      gone.end();
      await once(gone, 'close');
      await redis.zadd('queue', 1, 'job');
      // Another one that waits is given it now.
      expect(await redis.bzpopmin('queue', 60)).toEqual(['queue', 'job', '1']);
    });
  },
);

describe.runIf(installed)('a private redis-server', () => {
  test('is found on PATH, names its folder and keeps its data across restarts', async () => {
    const dataDir = await folder();
    const log = recordLog();
    const first = await provideRedis(optionsFor(dataDir, { log }));
    const where = join(dataDir, 'redis');
    expect(first).toMatchObject({ kind: 'private', where });
    expect(log.lines).toEqual([
      { level: 'info', fields: { where }, message: expect.stringContaining(`kept in ${where}`) },
    ]);
    await client(first.url).set('kept', 'yes');
    await first.stop();

    const second = await start(optionsFor(dataDir));
    expect(await client(second.url).get('kept')).toBe('yes');
  });

  test('never evicts, writes each change down and ticks 100 times a second', async () => {
    const redis = client((await start(optionsFor(await folder()))).url);
    expect(await redis.config('GET', 'maxmemory-policy')).toContain('noeviction');
    expect(await redis.config('GET', 'appendonly')).toContain('yes');
    expect(await redis.config('GET', 'hz')).toContain('100');
  });

  test('lets nobody in without its password, which only its owner can read', async () => {
    const dataDir = await folder();
    const { url } = await start(optionsFor(dataDir));
    const stranger = client(url.replace(/:[^:@]*@/, ''));
    await expect(stranger.get('x')).rejects.toThrow(/NOAUTH/);
    const pid = await processIdOf(client(url));
    const { stdout: processes } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]);
    expect(processes).not.toContain(new URL(url).password);
    const { stdout } = await promisify(execFile)('stat', ['-c', '%a', join(dataDir, 'redis', 'redis.conf')]);
    expect(stdout.trim()).toBe('600');
  });

  test('leaves no process and no password behind when it is stopped', async () => {
    const dataDir = await folder();
    const redis = await provideRedis(optionsFor(dataDir));
    const pid = await processIdOf(client(redis.url));
    expect(lives(pid)).toBe(true);
    await redis.stop();
    expect(lives(pid)).toBe(false);
    expect(await readdir(join(dataDir, 'redis'))).not.toContain('redis.conf');
  });

  test('is started again, with its data, when it is killed', async () => {
    const log = recordLog();
    const redis = client((await start(optionsFor(await folder(), { log }))).url);
    await redis.set('kept', 'yes');
    const pid = await processIdOf(redis);
    const back = new Promise((resolve) => redis.once('close', () => redis.once('ready', resolve)));
    process.kill(pid, 'SIGKILL');
    await back;
    expect(await redis.get('kept')).toBe('yes');
    expect(log.lines.map(({ level }) => level)).toEqual(['info', 'error']);
  });

  test('a folder that a living process uses is refused by naming the process', async () => {
    const dataDir = await folder();
    await start(optionsFor(dataDir));
    await expect(provideRedis(optionsFor(dataDir))).rejects.toThrow(
      new RegExp(`in use by process ${process.pid}: .*DATA_DIR`),
    );
  });

  test('what a killed process left running is stopped at the next start and its data kept', async () => {
    const dataDir = await folder();
    const url = await startAndDie(dataDir);
    const leftover = client(url);
    expect(await leftover.get('kept')).toBe('yes');

    const next = await start(optionsFor(dataDir));
    expect(await reach(url)).toBe('ECONNREFUSED');
    expect(await client(next.url).get('kept')).toBe('yes');
  });

  test('ends with a process that exits without stopping it', async () => {
    const url = await startAndDie(await folder(), 'process.exit(1)');
    await expect.poll(() => reach(url)).toBe('ECONNREFUSED');
  });

  test('a server that cannot start is told with the place of its log', async () => {
    const dataDir = await folder();
    const first = await provideRedis(optionsFor(dataDir));
    await first.stop();
    const data = join(dataDir, 'redis', 'appendonlydir');
    for (const name of await readdir(data)) await rm(join(data, name));
    // An append-only file whose parts are gone is refused by the server.
    await promisify(execFile)('sh', ['-c', `echo garbage > ${join(data, 'appendonly.aof.manifest')}`]);
    await expect(provideRedis(optionsFor(dataDir))).rejects.toThrow(/did not start: see .*redis\.log/);
    expect(await readFile(join(dataDir, 'redis', 'redis.log'), 'utf8')).toContain('manifest');
  });
});

async function reach(url: string): Promise<unknown> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  return once(socket, 'connect')
    .then(() => 'connected')
    .catch((error: NodeJS.ErrnoException) => error.code)
    .finally(() => socket.destroy());
}

/** Another process starts a private server, writes to it and is killed, unless it ends itself. Resolves with the server's URL. */
async function startAndDie(dataDir: string, end = ''): Promise<string> {
  const script = `
    import { provideRedis } from ${JSON.stringify(new URL('../../src/redis/by-itself.ts', import.meta.url).pathname)};
    import { Redis } from 'ioredis';
    const nothing = () => {};
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    const { url } = await provideRedis({ url: null, production: false, dataDir: ${JSON.stringify(dataDir)}, path: process.env.PATH, log });
    await new Redis(url).set('kept', 'yes');
    console.log(url);
    ${end}
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  // One that ends by itself is let go: killed first, it could do nothing on its way out.
  if (end === '') child.kill('SIGKILL');
  await exited;
  return String(line).trim();
}
