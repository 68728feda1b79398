/**
 * Where Redis is, by its URL: a host, the Sentinels that know which host it is now, or a Cluster, of which one connection
 * is to the node that holds one shard's keys. An address is looked up at each connect, so a failover is a reconnect.
 */
import { createConnection, isIP } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { type Host, type RedisUrl, readRedisUrl } from '../core/redis-url.ts';
import { errorWord } from './errors.ts';
import { type Keys, keys as first } from './keys.ts';

/** ioredis ties `replyMapping` to the type of the connection; ours has the default. */
export type Options = Omit<RedisOptions, 'replyMapping'>;

export interface Address {
  url: string;
  rejectUnauthorized: boolean;
  /** Of a Cluster, the node is meant that holds these. @default the first shard's */
  keys?: Keys;
}

/** A connection to it, with these options beside. */
export function openRedis({ url, rejectUnauthorized, keys = first }: Address, more: Options): Redis {
  const named = readRedisUrl(url);
  const tls = named?.isTls ? { rejectUnauthorized } : null;
  if (named?.kind === 'sentinel') return new Redis({ ...more, ...sentinelOptions(named, tls) });
  if (named?.kind === 'cluster') {
    const Connector = clusterConnector({ ...named, tls, key: keys.probe });
    return new Redis({ ...more, ...named.login, ...(tls ? { tls } : {}), Connector });
  }
  return new Redis(url, {
    ...more,
    ...(tls ? { tls: { ...tls, ...serverName(named?.hosts[0]?.host) } } : {}),
  });
}

/** Whether a connection to it finds the right host again when that has changed. */
export function isFollowed(url: string): boolean {
  return (readRedisUrl(url)?.kind ?? 'host') !== 'host';
}

/** Hosts with one address for many names go by it; nobody else sets it. An address is no name. */
function serverName(host = ''): TlsOptions {
  return host === '' || isIP(host) > 0 ? {} : { servername: host };
}

/** The Sentinels' own login is not Redis's: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ */
function sentinelOptions({ hosts, login, path, query }: RedisUrl, tls: TlsOptions | null): Options {
  const [name = '', db = '0'] = path;
  const username = query.get('sentinelUsername');
  const password = query.get('sentinelPassword');
  return {
    ...login,
    sentinels: hosts,
    name,
    db: Number(db),
    ...(username === null ? {} : { sentinelUsername: username }),
    ...(password === null ? {} : { sentinelPassword: password }),
    ...(tls ? { tls, sentinelTLS: tls, enableTLSForSentinelMode: true } : {}),
  };
}

/** A node that says nothing is not waited for (ms). */
const lookMs = 1_000;
/** When no node could be asked (ms). */
const againMs = 250;

interface ClusterLook {
  hosts: readonly Host[];
  login: RedisUrl['login'];
  tls: TlsOptions | null;
  key: string;
}

/** What one node says of the Cluster. */
async function askNode(
  node: Host,
  { login, tls, key }: ClusterLook,
): Promise<{ primary: Host | null; all: Host[] }> {
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
    const [slot, told] = await Promise.all([redis.cluster('KEYSLOT', key), redis.cluster('SLOTS')]);
    const ranges = readSlots(told, node);
    const primary = ranges.find(({ from, to }) => from <= slot && slot <= to)?.hosts[0] ?? null;
    return { primary, all: ranges.flatMap(({ hosts }) => hosts) };
  } catch (error) {
    throw cause ?? error;
  } finally {
    redis.disconnect();
  }
}

/** Finds the primary of the key's slot at each connect: https://redis.io/docs/latest/commands/cluster-slots/ */
function clusterConnector(look: ClusterLook) {
  let known = look.hosts;
  const find = async (): Promise<Host> => {
    let cause: unknown = null;
    for (const node of known) {
      try {
        const { primary, all } = await askNode(node, look);
        // Any of them may be asked next time: those that were named may be gone by then.
        known = [
          ...new Map([...all, ...look.hosts].map((host) => [`${host.host} ${host.port}`, host])).values(),
        ];
        if (primary) return primary;
        cause ??= Object.assign(new Error('A slot of the Cluster has no node.'), { code: 'CLUSTERDOWN' });
      } catch (error) {
        cause ??= error;
      }
    }
    throw cause;
  };
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
      const { tls } = look;
      const stream = tls ? connectTls({ ...node, ...tls, ...serverName(node.host) }) : createConnection(node);
      stream.once('error', (error) => (this.firstError = error));
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
