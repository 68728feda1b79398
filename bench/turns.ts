/**
 * What a turn costs, and how crowds fare: the built product and `hand-written.mjs` as processes of their own, on an
 * untouched redis-server. One row or some: `npx tsx bench/turns.ts cpu idle [--json]`; `npm run bench` takes them all.
 */
import { cpus, loadavg } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { coverBeside } from './turns-cover.ts';
import { latencies, ms, percent, table, wait, type Row } from './measure.ts';
import { startUntouchedRedis, type BenchRedis } from './redis.ts';
import { counted, type Counted, type Kept, kept } from './turns-commands.ts';
import { createLoad, type Load, now, type Pushed } from './turns-load.ts';
import { cpuByName, type Kind, minus, type Noted, openTurns, rssOf, type TurnsSite } from './turns-site.ts';

/** A row with its numbers, for whoever compares two runs. */
interface TurnsRow extends Row {
  figures: Record<string, number>;
}

const fastMs = 200;

interface Driven {
  site: TurnsSite;
  load: Load;
  bench: BenchRedis;
}

/** Warm, and at rest. */
async function drive<T>(kind: Kind, bench: BenchRedis, work: (driven: Driven) => Promise<T>): Promise<T> {
  await bench.redis.flushall();
  const site = await openTurns(kind, bench);
  const load = createLoad(site);
  try {
    await site.order({ botDelayMs: fastMs });
    assertInline(await load.pushAll(100, 32));
    await wait(3_000);
    await site.order({ forget: true });
    return await work({ site, load, bench });
  } finally {
    load.close();
    await site.close();
  }
}

/** A run in which answers went astray measures something else. */
function assertInline(pushed: readonly Pushed[]): void {
  const astray = pushed.filter(({ inline }) => inline.length !== 1);
  if (astray.length === 0) return;
  const faults = [...new Set(astray.flatMap((each) => each.faults))].join(', ');
  throw new Error(`${astray.length} of ${pushed.length} pushes had no answer inline: ${faults || 'success'}`);
}

const sum = (values: Record<string, number>): number => Object.values(values).reduce((a, b) => a + b, 0);
const per = (values: Record<string, number>, count: number): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value / count]));
const named = (values: Record<string, number>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');

const cpuTurns = 600;
const sustainedMs = 6_000;
const sustainedAtOnce = 256;
/** Other machines beside this one come and go: the two take turns, and the middle of each is compared. */
const cpuRounds = 3;

async function costOf(kind: Kind, bench: BenchRedis) {
  return drive(kind, bench, async ({ site, load }) => {
    const perTurn = async (): Promise<Record<string, number>> => {
      const before = await cpuByName(site, bench);
      assertInline(await load.pushAll(cpuTurns, 32));
      await wait(1_500); // What a turn leaves to be done belongs to it.
      return per(minus(await cpuByName(site, bench), before), cpuTurns);
    };
    const young = await perTurn();
    await load.pushFor(3_000, sustainedAtOnce);
    const from = now();
    const pushed = await load.pushFor(sustainedMs, sustainedAtOnce);
    const perSecond = (pushed.length * 1_000) / (now() - from);
    const late = pushed.filter(({ inline }) => inline.length === 0).length;
    await wait(3_000);
    const held = latencies(pushed.flatMap((each) => each.held)).p50;
    return { young, steady: await perTurn(), perSecond, late, held };
  });
}

const rate = ({ perSecond, late, held }: Cost): string =>
  `${perSecond.toFixed(0)} (held ${ms(held)} at p50, ${late} not inline)`;

type Cost = Awaited<ReturnType<typeof costOf>>;

function middle<T>(all: readonly T[], by: (one: T) => number): T {
  const found = all.toSorted((a, b) => by(a) - by(b))[Math.floor(all.length / 2)];
  if (found === undefined) throw new Error('Nothing was measured.');
  return found;
}

/** Newer ones make the hand-written middleware cheaper than keeptyping, which has more code to compile. */
const mostCpu = Number(process.versions.node.split('.')[0]) < 22 ? 2.5 : 3;
const leastPerSecond = 0.75;

/** The processor time of a turn, and how many there can be, beside what one writes by hand. */
async function cpu(bench: BenchRedis): Promise<TurnsRow[]> {
  const products: Cost[] = [];
  const hands: Cost[] = [];
  for (let round = 0; round < cpuRounds; round += 1) {
    products.push(await costOf('product', bench));
    hands.push(await costOf('hand-written', bench));
  }
  const row = (when: string, of: (cost: Cost) => Record<string, number>): TurnsRow => {
    const [own, theirs] = [products, hands].map((all) => of(middle(all, (cost) => sum(of(cost)))));
    return cpuRow(when, own ?? {}, theirs ?? {});
  };
  const [product, hand] = [products, hands].map((all) => middle(all, ({ perSecond }) => perSecond)) as [
    Cost,
    Cost,
  ];
  const ratio = product.perSecond / hand.perSecond;
  return [
    row('after 100 turns', ({ young }) => young),
    row('after thousands: compiled', ({ steady }) => steady),
    {
      what: `turns a second, ${sustainedAtOnce} at a time, all on this machine: keeptyping; hand-written; ratio`,
      measured: `${rate(product)}; ${rate(hand)}; ${ratio.toFixed(2)}`,
      floor: `≥ ${leastPerSecond}`,
      met: ratio >= leastPerSecond,
      figures: { product: product.perSecond, hand: hand.perSecond, ratio },
    },
  ];
}

function cpuRow(when: string, own: Record<string, number>, theirs: Record<string, number>): TurnsRow {
  const ratio = sum(own) / sum(theirs);
  const said = (each: Record<string, number>): string => `${sum(each).toFixed(2)} ms (${named(each)})`;
  return {
    what: `CPU per turn ${when}, bot ${fastMs} ms (${cpuTurns}, 32 at a time; the middle of ${cpuRounds}): keeptyping; hand-written; ratio`,
    measured: `${said(own)}; ${said(theirs)}; ${ratio.toFixed(2)}`,
    floor: `≤ ${mostCpu}`,
    met: ratio <= mostCpu,
    figures: { ...prefixed('product', own), ...prefixed('hand', theirs), ratio },
  };
}

function prefixed(prefix: string, values: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix} ${name}`, value]));
}

const idleMs = 20_000;

/** Without what would have happened anyway. */
function perTurn(seen: Counted, idle: Counted, turns: number): Counted {
  const share = seen.ms / idle.ms;
  const names = [...new Set([...Object.keys(seen.byName), ...Object.keys(idle.byName)])];
  const rest = (all: number, quiet: number): number => (all - quiet * share) / turns;
  return {
    ms: seen.ms,
    top: rest(seen.top, idle.top),
    all: rest(seen.all, idle.all),
    byName: Object.fromEntries(
      names.map((name) => [name, rest(seen.byName[name] ?? 0, idle.byName[name] ?? 0)]),
    ),
  };
}

function countsRow(
  what: string,
  { top, all, byName }: Counted,
  most: { top: number; all: number },
): TurnsRow {
  const often = Object.entries(byName).filter(([, count]) => Math.abs(count) >= 0.05);
  const list = often.toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count.toFixed(1)}`);
  const measured = `${top.toFixed(1)} round trips (${list.join(', ')}), ${all.toFixed(1)} commands`;
  const floor = most.top < most.all ? `≤ ${most.top}, ≤ ${most.all}` : `≤ ${most.all}`;
  return { what, measured, floor, met: top <= most.top && all <= most.all, figures: { top, all, ...byName } };
}

/** A worker looks once more at a turn that has ended, when its indicator was to be renewed. */
const looksEnd = 20_000;

/** What a turn asks of Redis. A round trip is a command that a client sent; those of a pipeline count each. */
async function counts(bench: BenchRedis): Promise<TurnsRow[]> {
  return drive('product', bench, async ({ site, load }) => {
    await wait(looksEnd);
    const quiet = await counted(bench, () => wait(idleMs));
    const [fastTurns, slowTurns] = [100, 10];
    const fast = await counted(bench, async () => {
      assertInline(await load.pushEvenly(fastTurns, 5));
      await wait(looksEnd);
    });
    await site.order({ botDelayMs: 20_000, forget: true });
    const slow = await counted(bench, async () => {
      await load.pushAll(slowTurns, slowTurns);
      await until(site, ({ sent }) => sent.length >= slowTurns, 40_000);
      await wait(looksEnd);
    });
    return [
      countsRow(`Redis per turn, bot ${fastMs} ms (100, 5 a second)`, perTurn(fast, quiet, fastTurns), {
        top: 20,
        all: 120,
      }),
      countsRow('Redis per turn, bot 20 s (10 users at once)', perTurn(slow, quiet, slowTurns), {
        top: 40,
        all: 200,
      }),
    ];
  });
}

async function idle(bench: BenchRedis): Promise<TurnsRow[]> {
  return drive('product', bench, async () => {
    await wait(looksEnd);
    const seen = await counted(bench, () => wait(idleMs));
    const seconds = seen.ms / 1_000;
    const rates = {
      ms: seen.ms,
      top: seen.top / seconds,
      all: seen.all / seconds,
      byName: per(seen.byName, seconds),
    };
    return [countsRow('Redis per idle second, one web and one worker', rates, { top: 4, all: 4 })];
  });
}

/** Resolves when the world has seen that much, or in the end. */
async function until(site: TurnsSite, done: (noted: Noted) => boolean, limitMs: number): Promise<Noted> {
  const end = now() + limitMs;
  for (;;) {
    const noted = await site.order({});
    if (done(noted) || now() > end) return noted;
    await wait(250);
  }
}

/** How long after each push its user's first typing call came; who got none is told apart. */
function firstTypings(pushed: readonly Pushed[], { typing }: Noted): { waits: number[]; none: number } {
  const first = new Map<string, number>();
  for (const { user, at } of typing) if (!first.has(user)) first.set(user, at);
  const waits = pushed.flatMap(({ user, at }) => {
    const call = first.get(user);
    return call === undefined ? [] : [call - at];
  });
  return { waits, none: pushed.length - waits.length };
}

async function latency(bench: BenchRedis): Promise<TurnsRow[]> {
  return drive('product', bench, async ({ site, load }) => {
    const pushed = await load.pushEvenly(300, 10);
    const { waits, none } = firstTypings(pushed, await site.order({}));
    const { p50, p99, max } = latencies(waits);
    return [
      {
        what: 'push sent → typing request received (300 pushes, 10 a second)',
        measured: `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}${none === 0 ? '' : `, ${none} without`}`,
        floor: 'p50 ≤ 6 ms, p99 ≤ 15 ms',
        met: p50 <= 6 && p99 <= 15 && none === 0,
        figures: { p50, p99, max, none },
      },
    ];
  });
}

/** As many short messages as fit into the longest push that is read, new ones each time. */
function fullPush(nth: number): string {
  const messages: string[] = [];
  for (let bytes = 0; bytes < 1_000_000; bytes += messages.at(-1)?.length ?? 0)
    messages.push(`{"from":"1","id":"${nth}-${messages.length}","type":"text"}`);
  return `{"messages":[${messages.join(',')}]}`;
}

const floodEveryMs = 500;

/** A stranger's unsigned pushes to one account, one after the other. Resolves, when stopped, with how many were taken. */
function flood(url: string): { stop(): Promise<number> } {
  const over = new AbortController();
  const run = async (): Promise<number> => {
    let taken = 0;
    for (let nth = 0; !over.signal.aborted; nth += 1) {
      const answer = await fetch(url, { method: 'POST', body: fullPush(nth) }).catch(() => null);
      if (answer?.ok) taken += 1;
      await wait(floodEveryMs);
    }
    return taken;
  };
  const running = run();
  return {
    stop: () => {
      over.abort();
      return running;
    },
  };
}

/** What the users of one account notice of a stranger's pushes to another. */
async function stranger(bench: BenchRedis): Promise<TurnsRow[]> {
  return drive('two accounts', bench, async ({ site, load }) => {
    const measured = async () => {
      await site.order({ forget: true });
      const pushed = await load.pushEvenly(200, 10);
      const noted = await site.order({});
      const { waits, none } = firstTypings(pushed, noted);
      // The bot takes its time; what comes on top is ours.
      const over = pushed.flatMap(({ held }) => held).map((ms) => ms - fastMs);
      const mine = new Set(pushed.map(({ user }) => user));
      const typed = noted.typing.filter(({ user }) => !mine.has(user)).length;
      return { typing: latencies(waits), held: latencies(over), none, typed };
    };
    const alone = await measured();
    const flooding = flood(site.url.replace('wechat', 'nxcloud'));
    const beside = await measured();
    const taken = await flooding.stop();
    const typing = beside.typing.p50 / alone.typing.p50;
    const held = beside.held.p50 / alone.held.p50;
    const said = (each: typeof alone): string =>
      `typing p50 ${ms(each.typing.p50)}, p99 ${ms(each.typing.p99)}, answers p50 ${ms(each.held.p50)}, p99 ${ms(each.held.p99)}`;
    return [
      {
        what: `a stranger's pushes to another account, 1 MB of short messages each, one every ${floodEveryMs} ms: typing and answers (beyond the bot's ${fastMs} ms) of 200 turns, 10 a second, beside them; alone; ratios at p50`,
        measured: `${said(beside)}; ${said(alone)}; ${typing.toFixed(2)}, ${held.toFixed(2)}; ${taken} pushes taken, ${beside.typed} of their messages typed for, ${beside.none} without typing`,
        floor: '≤ 1.5, none typed for',
        met: typing <= 1.5 && held <= 1.5 && beside.typed === 0 && beside.none === 0 && taken > 0,
        figures: {
          typing,
          held,
          taken,
          typed: beside.typed,
          ...prefixed('typing', beside.typing),
          ...prefixed('alone typing', alone.typing),
        },
      },
    ];
  });
}

/** The journal holds 20,000 notices at most, however many turns there were. */
const ofJournal = (all: Kept): number => all.byKind['{keeptyping}:journal'] ?? 0;

/** WeChat's: an indicator stays so long, or until a message or a cancel (ms). */
const lifetime = 15_000;

/** The part of the wait for which typing was on. */
function coverOf({ user, at }: Pushed, { typing, sent }: Noted): number {
  const end = sent.find((each) => each.user === user)?.at ?? Number.NaN;
  const calls = typing.filter((each) => each.user === user && each.at < end);
  const lit = calls.map((call, index) => {
    const off = Math.min(end, calls[index + 1]?.at ?? end, call.at + lifetime);
    return call.command === 'Typing' ? off - call.at : 0;
  });
  return lit.reduce((a, b) => a + b, 0) / (end - at);
}

/** What runs has been compiled for; a process that has just started is told beside it. */
async function crowd(bench: BenchRedis): Promise<TurnsRow[]> {
  const young = await drive('product', bench, (driven) => crowdOf(driven, 'after 100 turns'));
  const compiled = await drive('product', bench, async (driven) => {
    await driven.load.pushFor(4_000, sustainedAtOnce);
    await wait(3_000);
    return crowdOf(driven, 'after thousands: compiled');
  });
  return [{ ...young, floor: '–', met: null }, compiled];
}

async function crowdOf({ site, load }: Driven, when: string): Promise<TurnsRow> {
  const [count, thinkMs] = [200, 18_000];
  await site.order({ botDelayMs: thinkMs, forget: true });
  const pushed = await load.pushAll(count, count);
  await until(site, ({ sent }) => sent.length >= count, thinkMs + 30_000);
  await wait(2_000);
  const noted = await site.order({});
  const { waits, none } = firstTypings(pushed, noted);
  const first = latencies(waits);
  const shows = pushed.map(({ user }) =>
    noted.typing.filter((each) => each.user === user && each.command === 'Typing').map(({ at }) => at),
  );
  const renewals = shows.flatMap(([, at]) => (at === undefined ? [] : [at]));
  const ages = latencies(shows.flatMap(([at, again]) => (again === undefined ? [] : [again - (at ?? 0)])));
  const spread = Math.max(...renewals) - Math.min(...renewals);
  const covers = pushed.map((each) => coverOf(each, noted));
  const cover = Math.min(...covers);
  const answers = latencies(noted.sent.map(({ at, user }) => at - atOf(pushed, user) - thinkMs));
  const ends = endsOf(pushed, noted);
  return {
    what: `${count} users at once ${when}, bot ${thinkMs / 1_000} s: first typing; renewals; cover of the slowest; answers after the bot's time`,
    measured: [
      `p50 ${ms(first.p50)}, p99 ${ms(first.p99)}, max ${ms(first.max)}${none === 0 ? '' : `, ${none} without`}`,
      `${renewals.length} renewals over ${ms(spread)}, after the show p50 ${ms(ages.p50)}, max ${ms(ages.max)}`,
      percent(cover),
      `p50 ${ms(answers.p50)}, max ${ms(answers.max)}, ${ends.missing} missing, ${ends.doubled} doubled`,
    ].join('; '),
    floor: 'p99 ≤ 400 ms; within 300 ms; ≥ 97 %',
    met:
      first.p99 <= 400 &&
      ages.max - lifetime <= 300 &&
      cover >= 0.97 &&
      none + ends.missing + ends.doubled === 0,
    figures: {
      p50: first.p50,
      p99: first.p99,
      max: first.max,
      none,
      renewals: renewals.length,
      spread,
      cover,
      renewalP50: ages.p50,
      renewalMax: ages.max,
      answerMax: answers.max,
      ...ends,
    },
  };
}

const covered = { users: 150, perSecond: 4, medianMs: 8_000, apiMs: [50, 250] } as const;

/** Answers as long as those of models, some users who write again meanwhile, and an API that is far away. */
async function cover(bench: BenchRedis): Promise<TurnsRow[]> {
  const { users, perSecond, medianMs, apiMs } = covered;
  return drive('product', bench, async ({ site, load }) => {
    await site.order({ botMedianMs: medianMs, apiMs });
    // Of how long the way is, keeptyping knows nothing yet.
    await load.pushAll(10, 10);
    await wait(30_000);
    await site.order({ forget: true });
    const from = now();
    const writing = Array.from({ length: users }, async (_, index) => {
      await wait(from + (index * 1_000) / perSecond - now());
      const user = load.newUser();
      const first = load.push(user);
      if (index % 3 > 0) return [await first];
      await wait(1_000 + (index % 10) * 1_000);
      return Promise.all([first, load.push(user)]);
    });
    const pushed = (await Promise.all(writing)).flat();
    const inline = pushed.filter(({ inlineAt }) => inlineAt !== null).length;
    const noted = await until(site, ({ sent }) => sent.length + inline >= pushed.length, 90_000);
    const {
      cover: own,
      best,
      ratio,
      refused,
      unanswered,
    } = coverBeside(pushed, noted, { shortest: apiMs[0] });
    return [
      {
        what: `cover of ${pushed.length} messages of ${users} users, answers log-normal with a median of ${medianMs / 1_000} s, API ${apiMs.join(' to ')} ms away: keeptyping; the best; ratio`,
        measured: `${percent(own)}; ${percent(best)}; ${percent(ratio)}; ${refused} of ${noted.typing.length} calls refused, ${unanswered} users without all their answers`,
        floor: '≥ 99.5 % of the best, none refused',
        met: ratio >= 0.995 && refused === 0 && unanswered === 0,
        figures: { cover: own, best, ratio, refused },
      },
    ];
  });
}

function atOf(pushed: readonly Pushed[], wanted: string): number {
  return pushed.find(({ user }) => user === wanted)?.at ?? Number.NaN;
}

function countByUser(all: readonly { user: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { user } of all) counts.set(user, (counts.get(user) ?? 0) + 1);
  return counts;
}

/** How many answers each user had, by whatever way; and how often the bot was asked once more. */
function endsOf(pushed: readonly Pushed[], { sent, asked }: Noted) {
  const late = countByUser(sent);
  const answers = pushed.map(({ user, inline }) => inline.length + (late.get(user) ?? 0));
  // WeChat took "success", and then nothing came: worse than a push of which three deliveries failed.
  const promised = pushed.filter(({ held, faults }) => held.length > faults.length);
  const unkept = promised.filter(({ user, inline }) => inline.length === 0 && !late.has(user));
  return {
    unkept: unkept.length,
    inline: pushed.filter(({ inline }) => inline.length > 0).length,
    sent: sent.length,
    missing: answers.filter((answer) => answer === 0).length,
    doubled: answers.filter((answer) => answer > 1).length,
    askedAgain: [...countByUser(asked).values()].filter((calls) => calls > 1).length,
  };
}

async function burst(bench: BenchRedis): Promise<TurnsRow[]> {
  const rows: TurnsRow[] = [];
  for (const count of [700, 2_000])
    rows.push(await drive('product', bench, (driven) => burstOf(driven, count, 'keeptyping')));
  // What the machine, the bench and a single process can do at most.
  const hand = await drive('hand-written', bench, (driven) => burstOf(driven, 2_000, 'hand-written'));
  return [...rows, { ...hand, floor: '–', met: null }];
}

async function burstOf({ site, load }: Driven, count: number, who: string): Promise<TurnsRow> {
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const pushed = await load.pushAll(count, count);
  lag.disable();
  const isDone = (noted: Noted): boolean => endsOf(pushed, noted).missing === 0;
  await until(site, isDone, 60_000);
  await wait(3_000); // One too many would come now.
  const noted = await site.order({});
  const ends = endsOf(pushed, noted);
  const { p50, max } = latencies(pushed.flatMap(({ held }) => held));
  const faults = pushed.flatMap((each) => each.faults);
  const tooSlow = faults.filter((fault) => fault === 'too slow').length;
  const { waits, none } = firstTypings(pushed, noted);
  const other = [...new Set(faults.filter((fault) => fault !== 'too slow'))];
  return {
    what: `${count} pushes at once to one web (${who}): acknowledged; answers; first typing`,
    measured: [
      `p50 ${ms(p50)}, max ${ms(max)}, ${tooSlow} given up after 5 s${other.length === 0 ? '' : `, ${faults.length - tooSlow} failed (${other.join(', ')})`}`,
      `${ends.inline} inline, ${ends.sent} sent, ${ends.missing} missing (${ends.unkept} of them acknowledged), ${ends.doubled} doubled, the bot asked again for ${ends.askedAgain}`,
      `p50 ${ms(latencies(waits).p50)}, max ${ms(latencies(waits).max)}, ${none} without`,
      `the bench itself was at most ${ms(lag.max / 1e6)} late`,
    ].join('; '),
    floor: 'within 5 s, one answer each',
    met: faults.length === 0 && ends.missing === 0 && ends.doubled === 0,
    figures: { p50, max, tooSlow, failed: faults.length - tooSlow, typingless: none, ...ends },
  };
}

const mb = (bytes = Number.NaN): string => (bytes / 1e6).toFixed(0);

async function leftovers(bench: BenchRedis): Promise<TurnsRow[]> {
  const turns = 1_000;
  return drive('product', bench, async ({ site, load }) => {
    const rss = async (): Promise<Record<string, number>> => {
      const all = Object.entries(site.processes).map(
        async ([name, pid]) => [name, await rssOf(pid)] as const,
      );
      return Object.fromEntries(await Promise.all(all));
    };
    const [before, small] = [await kept(bench), await rss()];
    assertInline(await load.pushAll(turns, 32));
    await wait(5_000);
    const [after, large] = [await kept(bench), await rss()];
    const keys = (after.keys - before.keys) / turns;
    const lasting = {
      keys: (after.lasting.keys - before.lasting.keys) / turns,
      bytes: (after.lasting.bytes - before.lasting.bytes) / turns,
    };
    const bytes = (after.bytes - ofJournal(after) - before.bytes + ofJournal(before)) / turns;
    const most = Object.entries(minus(after.byKind, before.byKind)).toSorted(([, a], [, b]) => b - a);
    const list = most.slice(0, 6).map(([kind, taken]) => `${kind} ${Math.round(taken / turns)}`);
    const grown = Object.keys(small).map((name) => `${name} ${mb(small[name])} → ${mb(large[name])} MB`);
    return [
      {
        what: `left in Redis by each of ${turns} ended turns`,
        measured: `at first ${keys.toFixed(2)} keys, ${bytes.toFixed(0)} bytes beside the journal (${list.join(', ')}); of traffic that has gone on for 7 min ${lasting.keys.toFixed(2)} keys, ${lasting.bytes.toFixed(0)} bytes`,
        floor: 'of 7 min ≤ 2 keys, ≤ 500 bytes',
        met: lasting.keys <= 2 && lasting.bytes <= 500,
        figures: { keys, bytes, ...prefixed('lasting', lasting) },
      },
      {
        what: 'resident memory before and after them',
        measured: grown.join(', '),
        floor: '–',
        met: null,
        figures: large,
      },
    ];
  });
}

export const turnsBenches = { cpu, counts, idle, latency, stranger, cover, crowd, burst, leftovers } as const;

/** Run by itself: the rows that are named, each on a redis-server of its own. */
async function main(): Promise<void> {
  const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const unknown = wanted.filter((name) => !(name in turnsBenches));
  if (unknown.length > 0)
    throw new Error(`No such row: ${unknown.join(', ')}. There are ${Object.keys(turnsBenches).join(', ')}.`);
  const rows: TurnsRow[] = [];
  for (const [name, bench] of Object.entries(turnsBenches)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    // Beside other work on this machine, times say little; counts do not mind.
    process.stderr.write(`${name}… (load ${loadavg()[0]?.toFixed(1)})\n`);
    const redis = await startUntouchedRedis();
    rows.push(...(await bench(redis)));
    await redis.stop();
  }
  if (rows.some(({ met }) => met === false)) process.exitCode = 1;
  const head = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`;
  const said = process.argv.includes('--json')
    ? JSON.stringify(rows, null, 2)
    : `\n${head}\n\n${table(rows)}`;
  process.stdout.write(`${said}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
