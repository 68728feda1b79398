/** What Redis says of itself: https://redis.io/docs/latest/commands/info/ */
import { fail, type Finding, ok, warn } from '../core/platform.ts';

/** Named values of INFO; what a managed Redis does not tell is missing. */
export type Info = ReadonlyMap<string, string>;

export function parseInfo(text: string): Info {
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const at = line.indexOf(':');
    return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  return new Map(pairs);
}

/** What keeptyping needs at least of it, less what it does not tell. */
export function infoFindings(info: Info): Finding[] {
  return [version, role, eviction, persistence, connections, memory].flatMap((judge) => judge(info) ?? []);
}

/** https://docs.bullmq.io/guide/going-to-production names 6.2. */
function version(info: Info): Finding | null {
  const text = info.get('redis_version') ?? '';
  const [major = 0, minor = 0] = text.split('.').map(Number);
  if (text === '') return null;
  const subject = 'Redis version';
  // Valkey says 7.2.4 for Redis's sake, and its own beside it.
  if (major > 6 || (major === 6 && minor >= 2)) return ok(subject, text);
  return fail(subject, { says: `${text} is too old`, remedy: 'Use Redis 6.2 or newer, or Valkey.' });
}

function role(info: Info): Finding | null {
  if (info.get('role') !== 'slave') return null;
  const says = 'this is a replica: it takes no writes';
  return fail('Redis role', { says, remedy: 'Let REDIS_URL name the primary.' });
}

/** https://docs.bullmq.io/guide/going-to-production#max-memory-policy */
function eviction(info: Info): Finding | null {
  const policy = info.get('maxmemory_policy');
  const subject = 'Redis eviction policy';
  if (policy === undefined) return null;
  if (policy === 'noeviction') return ok(subject, policy);
  const fault = {
    says: `${policy}: when its memory is full, Redis drops messages`,
    remedy: 'Set maxmemory-policy to noeviction.',
  };
  // Without a limit it never comes to that, as far as it tells of one.
  return numberOf(info, 'maxmemory') > 0 ? fail(subject, fault) : warn(subject, fault);
}

function persistence(info: Info): Finding | null {
  const subject = 'Redis persistence';
  const aof = info.get('aof_enabled');
  if (aof === undefined) return null;
  if (aof !== '1') {
    const remedy = 'Set appendonly yes, or choose a plan that has it.';
    return warn(subject, { says: 'off: what waits in Redis is lost when it restarts', remedy });
  }
  if ((info.get('aof_last_write_status') ?? 'ok') === 'ok') return ok(subject, 'appendonly');
  const says = 'the last write of the append-only file failed';
  return fail(subject, { says, remedy: "Look at the disk of Redis's machine: it may be full." });
}

/** A process of keeptyping has up to 5, and a release phase has the old and the new one. */
const connectionsNeeded = 10;

function connections(info: Info): Finding | null {
  const subject = 'Redis connections';
  const used = numberOf(info, 'connected_clients');
  const limit = numberOf(info, 'maxclients');
  if (Number.isNaN(used)) return null;
  if (Number.isNaN(limit)) return ok(subject, `${used} used`);
  const says = `${used} of ${limit} used`;
  if (limit - used >= connectionsNeeded) return ok(subject, says);
  const remedy = 'Each process of keeptyping has up to 5: close others, or choose a larger plan.';
  return (limit - used < 1 ? fail : warn)(subject, { says, remedy });
}

function memory(info: Info): Finding | null {
  const subject = 'Redis memory';
  const used = numberOf(info, 'used_memory');
  const limit = numberOf(info, 'maxmemory');
  if (Number.isNaN(used) || Number.isNaN(limit)) return null;
  if (limit === 0) return ok(subject, `${megabytes(used)} used; it tells of no limit`);
  const says = `${megabytes(used)} of ${megabytes(limit)} used`;
  const remedy = 'Give Redis more memory: when it is full it takes no more messages.';
  if (used < 0.75 * limit) return ok(subject, says);
  return (used >= 0.95 * limit ? fail : warn)(subject, { says, remedy });
}

function numberOf(info: Info, name: string): number {
  return Number(info.get(name) ?? Number.NaN);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
