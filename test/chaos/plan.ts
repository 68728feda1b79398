/** What one run does, all of it from its seed: who writes what and when, how long the bot thinks, what goes wrong. */
import { createDice, type Dice } from './random.ts';

export type Target = `${'web' | 'worker'}-${1 | 2 | 3 | 4}`;
/** With these a fleet begins; the others join it in a rolling deploy. */
export const targets: readonly Target[] = ['web-1', 'web-2', 'worker-1', 'worker-2'];

/** `answers`: in the webhook's answer, or late if that takes long; `sends`: acknowledges, and sends by the gateway later. */
export type Style = 'answers' | 'sends';

export interface Conversation {
  channel: 'wechat' | 'nxcloud';
  user: string;
  style: Style;
}

export interface Message extends Conversation {
  /** Unlike any other of the run. */
  text: string;
  /** ms after the start. */
  at: number;
  thinkMs: number;
}

export type How = 'hang' | 'reset' | 'garbage' | '5xx';
export type Whom = Target | 'all';

/** Of several Redis, the one that takes the writes of this shard. */
interface OneOfSeveral {
  shard?: number;
}

/** Times in ms. */
export type Strike =
  /** kill -9, and a new one after this. */
  | { kind: 'kill'; target: Target; downMs: number }
  /** SIGTERM; a new one is started at once, as in a rolling restart. */
  | { kind: 'term'; target: Target }
  /** Its event loop stands still. */
  | { kind: 'pause'; target: Target; ms: number }
  | ({ kind: 'redis-kill'; downMs: number } & OneOfSeveral)
  /**
   * kill -9 of a primary that has a replica, which was sent nothing for the last so many ms: these writes are lost. It comes
   * back when the replica has taken its place.
   */
  | ({ kind: 'redis-failover'; lostMs: number } & OneOfSeveral)
  | ({ kind: 'redis-freeze'; ms: number } & OneOfSeveral)
  /** CONFIG SET maxmemory 1. */
  | ({ kind: 'redis-full'; ms: number } & OneOfSeveral)
  /** Each reply of Redis comes this much later. */
  | ({ kind: 'redis-slow'; whom: Whom; byMs: number; ms: number } & OneOfSeveral)
  /** Nothing passes; `healed`: what had been sent meanwhile arrives after all, or the connections are cut. */
  | ({ kind: 'redis-hole'; whom: Whom; ms: number; healed: 'pass' | 'cut' } & OneOfSeveral)
  /** The first bytes of each longer burst pass, then the connection is cut. */
  | ({ kind: 'redis-cut'; whom: Whom; bytes: number; ms: number } & OneOfSeveral)
  | { kind: 'platform'; channel: 'wechat' | 'nxcloud'; how: How; ms: number }
  | { kind: 'bot'; how: How; ms: number };

export type Kind = Strike['kind'];

export interface PlannedStrike {
  /** ms after the start. */
  at: number;
  strike: Strike;
}

/** What the processes have for a Redis. */
export type Ground = 'single' | 'several' | 'cluster' | 'sentinel';

export interface Plan {
  seed: number;
  seconds: number;
  ground: Ground;
  messages: Message[];
  strikes: PlannedStrike[];
  /** web-2 and worker-2 are 2 s ahead. */
  clocksApart: boolean;
}

/** `only`: nothing else goes wrong. */
export function planOf(options: {
  seed: number;
  seconds: number;
  only?: readonly Kind[];
  ground?: Ground;
}): Plan {
  const { seed, seconds, ground = 'single', only = kindsOn(ground) } = options;
  // Of their own dice: the calm run of a seed has the same traffic.
  const [forTraffic, forStrikes] = [createDice(seed * 2), createDice(seed * 2 + 1)];
  return {
    seed,
    seconds,
    ground,
    messages: conversations().flatMap((each, index) =>
      messagesOf(each, index, { seconds, dice: forTraffic }),
    ),
    strikes: strikesOf(forStrikes, seconds * 1000, { only, shards: shardsOn[ground] }),
    clocksApart: only.length > 0 && forStrikes.chance(0.4),
  };
}

function conversations(): Conversation[] {
  const numbers = Array.from({ length: 60 }, (_, n) => n);
  return numbers.map((n) => {
    const number = String(n).padStart(2, '0');
    if (n < 30) return { channel: 'wechat', user: `oUser_${number}`, style: n < 18 ? 'answers' : 'sends' };
    return { channel: 'nxcloud', user: `86138000000${number}`, style: 'sends' };
  });
}

/** Every third conversation does not wait for the answer before it writes on. */
function messagesOf(
  conversation: Conversation,
  index: number,
  { seconds, dice }: { seconds: number; dice: Dice },
): Message[] {
  const messages: Message[] = [];
  const end = seconds * 1000;
  let at = dice.between(0, 5_000);
  while (at < end) {
    const [long, short] = [thinking(dice), dice.between(200, 1_500)];
    // The last ones are answered soon, and not all at one moment.
    const thinkMs = at + long > end ? short : long;
    messages.push({ ...conversation, text: `${conversation.user}-${messages.length + 1}`, at, thinkMs });
    const overlaps = index % 3 === 0 && dice.chance(0.5);
    at += overlaps ? dice.between(300, 2_500) : thinkMs + dice.between(1_000, 6_000);
  }
  return messages;
}

function thinking(dice: Dice): number {
  if (dice.chance(0.3)) return dice.between(200, 1_000);
  return dice.chance(0.7) ? dice.between(1_000, 5_000) : dice.between(5_000, 12_000);
}

/** How many shards the conversations are spread over; several Redis have one each. */
export const shardsOn: { [ground in Ground]: number } = { single: 1, several: 3, cluster: 3, sentinel: 1 };

/** What can go wrong there: who is told by others where Redis is has no wire of ours to it, and one alone has no replica. */
export function kindsOn(ground: Ground): Kind[] {
  const isFollowed = ground === 'cluster' || ground === 'sentinel';
  return kinds.filter((kind) => (isFollowed ? !onWires.includes(kind) : kind !== 'redis-failover'));
}

export const kinds = [
  'kill',
  'term',
  'pause',
  'redis-kill',
  'redis-freeze',
  'redis-full',
  'redis-slow',
  'redis-hole',
  'redis-cut',
  'platform',
  'bot',
  'redis-failover',
] as const satisfies readonly Kind[];
const onWires: readonly Kind[] = ['redis-slow', 'redis-hole', 'redis-cut'];

/** One after the other, never two at once: any single one must break nothing. */
function strikesOf(
  dice: Dice,
  end: number,
  { only, shards }: { only: readonly Kind[]; shards: number },
): PlannedStrike[] {
  const strikes: PlannedStrike[] = [];
  let at = dice.between(2_000, 3_000);
  const shuffled = dice.shuffled(only);
  // Where it can happen it does, in each run.
  const failover = shuffled.filter((kind) => kind === 'redis-failover');
  for (const kind of [...failover, ...shuffled.filter((other) => other !== 'redis-failover')]) {
    const strike = strikeOf(kind, dice, shards);
    if (at + lengthOf(strike) > end - 1_000) continue;
    strikes.push({ at, strike });
    at += lengthOf(strike) + recoveryOf(strike) + dice.between(0, 1_000);
  }
  return strikes;
}

function strikeOf(kind: Kind, dice: Dice, shards: number): Strike {
  const where: OneOfSeveral = shards > 1 ? { shard: dice.between(0, shards - 1) } : {};
  const whom = dice.chance(0.5) ? 'all' : dice.pick(targets);
  const how = dice.pick(['hang', 'reset', 'garbage', '5xx'] as const);
  switch (kind) {
    case 'kill':
      return { kind, target: dice.pick(targets), downMs: dice.between(200, 2_000) };
    case 'term':
      return { kind, target: dice.pick(targets) };
    case 'pause':
      return { kind, target: dice.pick(targets), ms: 3_000 };
    case 'redis-kill':
      return { ...where, kind, downMs: dice.between(100, 3_000) };
    case 'redis-failover':
      return { ...where, kind, lostMs: dice.chance(0.5) ? 0 : dice.between(50, 500) };
    case 'redis-freeze':
      return { ...where, kind, ms: dice.between(1_000, 6_000) };
    case 'redis-full':
      return { ...where, kind, ms: dice.between(1_000, 5_000) };
    case 'redis-slow':
      return { ...where, kind, whom, byMs: 900, ms: dice.between(3_000, 6_000) };
    case 'redis-hole':
      return { ...where, kind, whom, ms: dice.between(2_000, 10_000), healed: dice.pick(['pass', 'cut']) };
    case 'redis-cut':
      return { ...where, kind, whom, bytes: dice.between(20, 400), ms: dice.between(300, 1_500) };
    case 'platform':
      return { kind, channel: dice.pick(['wechat', 'nxcloud']), how, ms: dice.between(1_000, 4_000) };
    case 'bot':
      return { kind, how, ms: dice.between(1_000, 3_000) };
  }
}

/** How long it is planned to last (ms): a process that is told to end finishes the calls of the bot that it has begun. */
export function lengthOf(strike: Strike): number {
  if (strike.kind === 'term') return 13_000;
  if (strike.kind === 'redis-failover') return strike.lostMs + 4_000;
  return 'ms' in strike ? strike.ms : strike.downMs;
}

/** What was killed has eight seconds to come back and be missed by nobody. */
function recoveryOf({ kind }: Strike): number {
  if (kind === 'kill' || kind === 'redis-kill' || kind === 'redis-failover') return 8_000;
  return kind === 'term' ? 1_000 : 2_500;
}

export function wordsOf(strike: Strike): string {
  const { kind, ...rest } = strike;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [kind, ...details].join(', ');
}
