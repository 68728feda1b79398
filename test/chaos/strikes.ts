/** Carries out what a plan says goes wrong. */
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Breakage, Fault } from '../../src/simulator/index.ts';
import type { Server } from '../support/redis-server.ts';
import type { Fleet } from './fleet.ts';
import {
  type How,
  lengthOf,
  type PlannedStrike,
  type Strike,
  type Target,
  targets,
  type Whom,
} from './plan.ts';
import type { Wire } from './proxies.ts';
import type { Struck } from './record.ts';

/** One after the other, each at its time or, where the one before took longer, a second after that. */
export async function carryOut(
  fleet: Fleet,
  strikes: readonly PlannedStrike[],
  { startedAt, struck }: { startedAt: number; struck: Struck[] },
): Promise<void> {
  let last = 0;
  for (const { at, strike } of strikes) {
    await wait(Math.max(0, startedAt + at - Date.now(), last + 1_000 - Date.now()));
    // A Redis without its replica would be struck by two faults at once.
    if (strike.kind.startsWith('redis-')) await fleet.redis.whole();
    const entry: Struck = { strike, from: Date.now(), to: Infinity };
    struck.push(entry);
    await carryOutOne(fleet, strike);
    last = Date.now();
    entry.to = last + feltOn(strike);
  }
}

/** For so long after its end a fault can be felt (ms). */
function feltOn(strike: Strike): number {
  switch (strike.kind) {
    case 'redis-slow':
      // Answers are under way still.
      return strike.byMs;
    case 'redis-kill':
    case 'redis-failover':
    case 'redis-hole':
    case 'redis-cut':
      // The longest pause before a further connection.
      return 1_000;
    case 'redis-full':
      // The pause before it is told again.
      return 500;
    default:
      return 0;
  }
}

async function carryOutOne(fleet: Fleet, strike: Strike): Promise<void> {
  switch (strike.kind) {
    case 'kill':
      return kill(fleet, strike);
    case 'term':
      return void (await Promise.all([
        fleet.order(fleet.member(strike.target), 'SIGTERM'),
        fleet.launch(strike.target),
      ]));
    case 'pause':
      return freeze(fleet.member(strike.target).child, strike.ms);
    case 'redis-kill': {
      const server = await fleet.redis.primaryOf(strike.shard ?? 0);
      await server.kill();
      await wait(strike.downMs);
      return server.start();
    }
    case 'redis-failover':
      return failOver(fleet, strike);
    case 'redis-freeze':
      return freeze(await fleet.redis.primaryOf(strike.shard ?? 0), strike.ms);
    case 'redis-full':
      return full(await fleet.redis.primaryOf(strike.shard ?? 0), strike.ms);
    case 'redis-slow':
      return wires(fleet, strike, { set: { is: 'slow', byMs: strike.byMs } });
    case 'redis-hole':
      return wires(fleet, strike, { set: { is: 'hole' }, cut: strike.healed === 'cut' });
    case 'redis-cut':
      return wires(fleet, strike, { set: { is: 'cut', bytes: strike.bytes } });
    case 'platform':
      return platform(fleet, strike);
    case 'bot':
      fleet.bot.set({ breaks: () => breakageOf(strike.how) });
      await wait(lengthOf(strike));
      return fleet.bot.set({ breaks: () => null });
  }
}

async function kill(fleet: Fleet, { target, downMs }: { target: Target; downMs: number }): Promise<void> {
  await fleet.order(fleet.member(target), 'SIGKILL');
  await wait(downMs);
  await fleet.launch(target);
}

async function freeze(process: { signal: (name: NodeJS.Signals) => void }, ms: number): Promise<void> {
  process.signal('SIGSTOP');
  await wait(ms);
  process.signal('SIGCONT');
}

/** What the primary answers in the last moments before it dies is sent to no replica. */
async function failOver(
  { redis }: Fleet,
  { lostMs, shard = 0 }: { lostMs: number; shard?: number },
): Promise<void> {
  const primary = await redis.primaryOf(shard);
  if (lostMs > 0) {
    const control = new Redis(primary.url, { maxRetriesPerRequest: null });
    await control.call('ACL', 'SETUSER', 'default', '-psync', '-sync');
    await control.client('KILL', 'TYPE', 'REPLICA');
    await wait(lostMs);
    control.disconnect();
  }
  await primary.kill();
  await redis.replaced(shard, { other: primary });
  await primary.start();
}

async function full({ url }: Pick<Server, 'url'>, ms: number): Promise<void> {
  const control = new Redis(url, { maxRetriesPerRequest: null });
  await control.config('SET', 'maxmemory', '1');
  await wait(ms);
  await control.config('SET', 'maxmemory', '0');
  control.disconnect();
}

async function wires(
  { redis }: Fleet,
  { whom, ms, shard = 0 }: { whom: Whom; ms: number; shard?: number },
  { set, cut = false }: { set: Wire; cut?: boolean },
): Promise<void> {
  const names = whom === 'all' ? targets : [whom];
  const struck = names.flatMap((name) => redis.wireOf(name, shard) ?? []);
  for (const wire of struck) wire.set(set);
  await wait(ms);
  if (cut) for (const wire of struck) wire.cut();
  for (const wire of struck) wire.set({ is: 'open' });
}

async function platform(
  { simulator }: Fleet,
  { channel, how, ms }: { channel: 'wechat' | 'nxcloud'; how: How; ms: number },
): Promise<void> {
  const withdraw = simulator[channel].faults.set('*', faultOf(how));
  await wait(ms);
  withdraw();
}

function faultOf(how: How): Fault {
  if (how === 'hang') return { hang: true };
  if (how === 'reset') return { reset: true };
  return how === 'garbage' ? { garbage: true } : { status: 502 };
}

function breakageOf(how: How): Breakage {
  return how === '5xx' ? 503 : how;
}
