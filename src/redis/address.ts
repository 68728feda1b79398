/**
 * Where Redis is, by its URL: a host, the Sentinels that know which host it is now, or a Cluster, of which one connection
 * is to the node that holds one shard's keys. An address is looked up at each connect, so a failover is a reconnect.
 */
import { createConnection, isIP } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { type Host, type RedisUrl, readRedisUrl } from '../core/redis-url.ts';
import { errorWord } from './errors.ts';
import { keys as first } from './keys.ts';

/** ioredis ties `replyMapping` to the type of the connection; ours has the default. */
export type Options = Omit<RedisOptions, 'replyMapping'>;

export interface Address {
  url: string;
  rejectUnauthorized: boolean;
  /** Of a Cluster, the node is meant that holds this. @default the first shard's keys */
  key?: string;
}

/** A connection to it, with these options beside. */
export function openRedis({ url, rejectUnauthorized, key = first.probe }: Address, more: Options): Redis {
  const named = readRedisUrl(url);
  const tls = named?.isTls ? { rejectUnauthorized } : null;
  if (named && named.kind !== 'host') {
    const find = named.kind === 'sentinel' ? primaryFinder(named, tls) : nodeFinder(named, { tls, key });
    const [, db = '0'] = named.path;
    return new Redis({
      ...more,
      ...named.login,
      ...(named.kind === 'sentinel' ? { db: Number(db) } : {}),
      ...(tls ? { tls } : {}),
      Connector: connectorTo(find, tls),
    });
  }
  return new Redis(url, {
    ...more,
    ...(tls ? { tls: { ...tls, ...serverName(named?.hosts[0]?.host) } } : {}),
  });
}

/** Where the primary is now that Sentinels look after; null: none do. */
export function finderOf({ url, rejectUnauthorized }: Address): (() => Promise<Host>) | null {
  const named = readRedisUrl(url);
  if (named?.kind !== 'sentinel') return null;
  return primaryFinder(named, named.isTls ? { rejectUnauthorized } : null);
}

const openedTo = new WeakMap<object, Host>();

/** Whether a connection leads to another one than that. */
export function isElsewhere({ stream }: Redis, { host, port }: Host): boolean {
  const opened = openedTo.get(stream ?? {});
  return opened !== undefined && (opened.host !== host || opened.port !== port);
}

/** Whether a connection to it finds the right host again when that has changed. */
export function isFollowed(url: string): boolean {
  return (readRedisUrl(url)?.kind ?? 'host') !== 'host';
}

/** Hosts with one address for many names go by it; nobody else sets it. An address is no name. */
function serverName(host = ''): TlsOptions {
  return host === '' || isIP(host) > 0 ? {} : { servername: host };
}

/** Who says nothing is not waited for (ms). */
const lookMs = 1_000;
/** When nobody could be asked (ms). */
const againMs = 250;

/** A short look. */
async function ask<T>(
  node: Host,
  { login, tls }: Pick<RedisUrl, 'login'> & { tls: TlsOptions | null },
  question: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    ...node,
    ...login,
    ...(tls ? { tls: { ...tls, ...serverName(node.host) } } : {}),
    lazyConnect: true,
    connectTimeout: lookMs,
    commandTimeout: lookMs,
    retryStrategy: null,
    enableReadyCheck: false,
    disconnectTimeout: 50,
  });
  let cause: unknown = null;
  redis.on('error', (error) => (cause ??= error));
  try {
    await redis.connect();
    return await question(redis);
  } catch (error) {
    throw cause ?? error;
  } finally {
    redis.disconnect();
  }
}

/** What the first of them says that says anything. Their own login is not Redis's: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ */
function primaryFinder({ hosts, path, query }: RedisUrl, tls: TlsOptions | null): () => Promise<Host> {
  const [name = ''] = path;
  const [username, password] = [query.get('sentinelUsername'), query.get('sentinelPassword')];
  const login = { ...(username === null ? {} : { username }), ...(password === null ? {} : { password }) };
  return async () => {
    let cause: unknown = null;
    for (const sentinel of hosts) {
      try {
        const told = await ask(sentinel, { login, tls }, (at) =>
          at.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name),
        );
        const [host, port] = Array.isArray(told) ? (told as unknown[]) : [];
        if (typeof host === 'string') return { host, port: Number(port) };
        cause ??= Object.assign(new Error(`The Sentinels know no ${name}.`), { code: 'UNKNOWN_NAME' });
      } catch (error) {
        cause ??= error;
      }
    }
    throw cause;
  };
}

/** The primary of the key's slot: https://redis.io/docs/latest/commands/cluster-slots/ */
function nodeFinder(
  { hosts: first, login }: RedisUrl,
  { tls, key }: { tls: TlsOptions | null; key: string },
): () => Promise<Host> {
  let known = first;
  return async () => {
    let cause: unknown = null;
    for (const node of known) {
      try {
        const [slot, told] = await ask(node, { login, tls }, (redis) =>
          Promise.all([redis.cluster('KEYSLOT', key), redis.cluster('SLOTS')]),
        );
        const ranges = readSlots(told, node);
        // Any of them may be asked next time: those that were named may be gone by then.
        const all = [...ranges.flatMap(({ hosts }) => hosts), ...first];
        known = [...new Map(all.map((host) => [`${host.host} ${host.port}`, host])).values()];
        const primary = ranges.find(({ from, to }) => from <= slot && slot <= to)?.hosts[0];
        if (primary) return primary;
        cause ??= Object.assign(new Error('A slot of the Cluster has no node.'), { code: 'CLUSTERDOWN' });
      } catch (error) {
        cause ??= error;
      }
    }
    throw cause;
  };
}

/** Looks the host up at each connect. */
function connectorTo(find: () => Promise<Host>, tls: TlsOptions | null) {
  return class extends AbstractConnector {
    private readonly isTriedOnce: boolean;
    private stopWaiting: () => void = () => {};

    constructor(options: unknown) {
      const { disconnectTimeout = 2_000, retryStrategy } = options as Options;
      super(disconnectTimeout);
      this.isTriedOnce = retryStrategy === null;
    }

    /** A rejection would end the connection for good, so it looks until it finds a node. */
    async connect(tell: (type: string, error: Error) => void) {
      this.connecting = true;
      for (;;) {
        const found = await find().catch(toError);
        if (!this.connecting) throw new Error('Connection is closed.');
        if (!(found instanceof Error)) return this.open(found);
        if (this.isTriedOnce) throw found;
        tell('error', found);
        await this.pause();
      }
    }

    override disconnect(): void {
      super.disconnect();
      this.stopWaiting();
    }

    private open(node: Host) {
      const stream = tls ? connectTls({ ...node, ...tls, ...serverName(node.host) }) : createConnection(node);
      stream.once('error', (error) => (this.firstError = error));
      openedTo.set(stream, node);
      return (this.stream = stream);
    }

    private pause(): Promise<void> {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, againMs * (0.5 + Math.random()));
        this.stopWaiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(errorWord(error));
}

/** The ranges of slots, each with its hosts, the primary first. One that does not know its own name is the one that was asked. */
function readSlots(ranges: readonly unknown[], asked: Host): { from: number; to: number; hosts: Host[] }[] {
  return ranges.flatMap((range) => {
    if (!Array.isArray(range)) return [];
    const [from, to, ...nodes] = range as [number, number, ...unknown[]];
    const hosts = nodes.flatMap((node) => {
      const [host, port] = Array.isArray(node) ? (node as unknown[]) : [];
      return typeof port === 'number'
        ? [{ host: typeof host === 'string' && host !== '' ? host : asked.host, port }]
        : [];
    });
    return [{ from, to, hosts }];
  });
}
