/** Carries out what a plan says goes wrong. */
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Breakage, Fault } from '../../src/simulator/index.ts';
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
import type { RedisProxy, Wire } from './proxies.ts';
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
    case 'redis-kill':
      await fleet.redis.kill();
      await wait(strike.downMs);
      return fleet.redis.start();
    case 'redis-freeze':
      return freeze(fleet.redis, strike.ms);
    case 'redis-full':
      return full(fleet, strike.ms);
    case 'redis-slow':
      return wires(fleet, strike.whom, { set: { is: 'slow', byMs: strike.byMs }, ms: strike.ms });
    case 'redis-hole':
      await wires(fleet, strike.whom, { set: { is: 'hole' }, ms: strike.ms, cut: strike.healed === 'cut' });
      return;
    case 'redis-cut':
      return wires(fleet, strike.whom, { set: { is: 'cut', bytes: strike.bytes }, ms: strike.ms });
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

async function full({ redis }: Fleet, ms: number): Promise<void> {
  const control = new Redis(redis.url, { maxRetriesPerRequest: null });
  await control.config('SET', 'maxmemory', '1');
  await wait(ms);
  await control.config('SET', 'maxmemory', '0');
  control.disconnect();
}

async function wires(
  { proxies }: Fleet,
  whom: Whom,
  { set, ms, cut = false }: { set: Wire; ms: number; cut?: boolean },
): Promise<void> {
  const names = whom === 'all' ? targets : [whom];
  const struck = names
    .map((name) => proxies.get(name))
    .filter((proxy): proxy is RedisProxy => proxy !== undefined);
  for (const proxy of struck) proxy.set(set);
  await wait(ms);
  if (cut) for (const proxy of struck) proxy.cut();
  for (const proxy of struck) proxy.set({ is: 'open' });
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
