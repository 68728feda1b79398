/**
 * What a turn costs, and how crowds fare: the built product and `hand-written.mjs` as processes of their own, on an
 * untouched redis-server. One row or some: `npx tsx bench/turns.ts cpu counts [--runs n] [--json]`; `npm run bench` takes
 * them all.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import {
  type Bench,
  bytes,
  count,
  latencies,
  megabytes,
  middleAndTail,
  ms,
  now,
  once,
  percent,
  perSecond,
  prefixed,
  type Row,
  sum,
  times,
  wait,
} from './measure.ts';
import { isMet, recordOf, runAll, startOf, wantedOf } from './record.ts';
import type { BenchRedis } from './redis.ts';
import { counted, type Counted, type Kept, kept } from './turns-commands.ts';
import { createLoad, type Load, type Pushed } from './turns-load.ts';
import {
  cpuByName,
  type Kind,
  minus,
  type Noted,
  openTurns,
  rssOf,
  type TurnsSite,
  until,
} from './turns-site.ts';

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

const total = (values: Record<string, number>): number => sum(Object.values(values));
const per = (values: Record<string, number>, count: number): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value / count]));
const cpuTurns = 600;
const sustainedMs = 6_000;
const sustainedAtOnce = 256;

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

/** Newer ones make the hand-written middleware cheaper than keeptyping, which has more code to compile. */
const mostCpu = Number(process.versions.node.split('.')[0]) < 22 ? 2.5 : 3;
const leastPerSecond = 0.75;

/** The processor time of a turn, and how many there can be, beside what one writes by hand. */
async function cpu(bench: BenchRedis): Promise<Row[]> {
  const product = await costOf('product', bench);
  const hand = await costOf('hand-written', bench);
  return [
    cpuRow('after 100 turns', product.young, hand.young),
    cpuRow('after thousands: compiled', product.steady, hand.steady),
    {
      what: `turns a second, ${sustainedAtOnce} at a time, all on this machine, beside hand-written`,
      values: {
        keeptyping: perSecond(product.perSecond),
        'held at p50': ms(product.held),
        'not inline': count(product.late),
        'hand-written': perSecond(hand.perSecond),
        'its held at p50': ms(hand.held),
        ratio: times(product.perSecond / hand.perSecond),
      },
      goal: { says: `≥ ${leastPerSecond} ×`, met: (of) => of('ratio') >= leastPerSecond },
    },
  ];
}

function cpuRow(when: string, own: Record<string, number>, theirs: Record<string, number>): Row {
  const parts = Object.entries(own).map(([name, value]) => [`its ${name}`, ms(value)] as const);
  return {
    what: `CPU per turn ${when}, bot ${fastMs} ms (${cpuTurns}, 32 at a time), beside hand-written`,
    values: {
      keeptyping: ms(total(own)),
      ...Object.fromEntries(parts),
      'hand-written': ms(total(theirs)),
      ratio: times(total(own) / total(theirs)),
    },
    goal: { says: `≤ ${mostCpu} ×`, met: (of) => of('ratio') <= mostCpu },
    exact: { turns: 2 * cpuTurns, wrong: {} },
  };
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

function countsRow(what: string, { top, all, byName }: Counted, most: { top: number; all: number }): Row {
  const often = Object.entries(byName).filter(([, howMany]) => Math.abs(howMany) >= 0.05);
  const list = often.toSorted(([, a], [, b]) => b - a).map(([name, howMany]) => [name, count(howMany)]);
  return {
    what,
    values: { 'round trips': count(top), commands: count(all), ...Object.fromEntries(list) },
    goal: {
      says: most.top < most.all ? `≤ ${most.top}, ≤ ${most.all}` : `≤ ${most.all}`,
      met: (of) => of('round trips') <= most.top && of('commands') <= most.all,
    },
  };
}

/** A worker looks once more at a turn that has ended, when its indicator was to be renewed. */
const looksEnd = 20_000;

/** What a turn asks of Redis, and an idle installation. A round trip is a command that a client sent; those of a pipeline count each. */
async function counts(bench: BenchRedis): Promise<Row[]> {
  return drive('product', bench, async ({ site, load }) => {
    await wait(looksEnd);
    const quiet = await counted(bench, () => wait(idleMs));
    const [fastTurns, slowTurns] = [100, 10];
    const fast = await counted(bench, async () => {
      assertInline(await load.pushOpenly(fastTurns, 5));
      await wait(looksEnd);
    });
    await site.order({ botDelayMs: 20_000, forget: true });
    const slow = await counted(bench, async () => {
      await load.pushAll(slowTurns, slowTurns);
      await until(site, ({ sent }) => sent.length >= slowTurns, 40_000);
      await wait(looksEnd);
    });
    const seconds = quiet.ms / 1_000;
    const idle = { ...quiet, top: quiet.top / seconds, all: quiet.all / seconds };
    return [
      countsRow(
        'Redis per idle second, one web and one worker',
        { ...idle, byName: per(quiet.byName, seconds) },
        { top: 4, all: 4 },
      ),
      countsRow(`Redis per turn, bot ${fastMs} ms (100, some 5 a second)`, perTurn(fast, quiet, fastTurns), {
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

async function latency(bench: BenchRedis): Promise<Row[]> {
  return drive('product', bench, async ({ site, load }) => {
    const pushed = await load.pushOpenly(300, 20);
    await wait(1_000);
    const noted = await site.order({});
    const { waits, none } = firstTypings(pushed, noted);
    return [
      {
        what: 'push sent → typing request received (300 pushes, some 20 a second)',
        values: middleAndTail(waits),
        goal: {
          says: 'p50 ≤ 6 ms, p99 ≤ 15 ms',
          met: (of) => of('p50') <= 6 && of('p99') <= 15,
        },
        exact: { turns: pushed.length, wrong: { ...wrongOf(pushed, noted), 'without typing': none } },
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
async function stranger(bench: BenchRedis): Promise<Row[]> {
  return drive('product', bench, async ({ site, load }) => {
    const measured = async () => {
      await site.order({ forget: true });
      const pushed = await load.pushOpenly(200, 10);
      const noted = await site.order({});
      const { waits, none } = firstTypings(pushed, noted);
      // The bot takes its time; what comes on top is ours.
      const over = pushed.flatMap(({ held }) => held).map((each) => each - fastMs);
      const mine = new Set(pushed.map(({ user }) => user));
      const typed = noted.typing.filter(({ user }) => !mine.has(user)).length;
      return { typing: middleAndTail(waits), answers: middleAndTail(over), pushed, noted, none, typed };
    };
    const alone = await measured();
    const flooding = flood(site.url.replace('wechat', 'nxcloud'));
    const beside = await measured();
    const taken = await flooding.stop();
    const typing = beside.typing.p50.value / alone.typing.p50.value;
    const answers = beside.answers.p50.value / alone.answers.p50.value;
    return [
      {
        what: `a stranger's pushes to another account, 1 MB of short messages each, one every ${floodEveryMs} ms: typing and answers (beyond the bot's ${fastMs} ms) of 200 turns, some 10 a second, beside them, and alone`,
        values: {
          ...prefixed('typing', beside.typing),
          ...prefixed('answers', beside.answers),
          ...prefixed('alone, typing', alone.typing),
          ...prefixed('alone, answers', alone.answers),
          'typing at p50': times(typing),
          'answers at p50': times(answers),
          'pushes taken': count(taken),
        },
        goal: {
          says: '≤ 1.5 ×',
          met: (of) => of('typing at p50') <= 1.5 && of('answers at p50') <= 1.5 && of('pushes taken') > 0,
        },
        exact: {
          turns: beside.pushed.length,
          wrong: {
            ...wrongOf(beside.pushed, beside.noted),
            'without typing': beside.none,
            "of the stranger's typed for": beside.typed,
          },
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

/** What runs has been compiled for. */
async function crowd(bench: BenchRedis): Promise<Row[]> {
  return drive('product', bench, async (driven) => {
    await driven.load.pushFor(4_000, sustainedAtOnce);
    await wait(3_000);
    return [await crowdOf(driven)];
  });
}

async function crowdOf({ site, load }: Driven): Promise<Row> {
  const [crowded, thinkMs] = [200, 18_000];
  await site.order({ botDelayMs: thinkMs, forget: true });
  const pushed = await load.pushAll(crowded, crowded);
  await until(site, ({ sent }) => sent.length >= crowded, thinkMs + 30_000);
  await wait(2_000);
  const noted = await site.order({});
  const { waits, none } = firstTypings(pushed, noted);
  const first = latencies(waits);
  const shows = pushed.map(({ user }) =>
    noted.typing.filter((each) => each.user === user && each.command === 'Typing').map(({ at }) => at),
  );
  const renewals = shows.flatMap(([, at]) => (at === undefined ? [] : [at]));
  const ages = latencies(shows.flatMap(([at, again]) => (again === undefined ? [] : [again - (at ?? 0)])));
  const covers = pushed.map((each) => coverOf(each, noted));
  const cover = Math.min(...covers);
  const answers = latencies(noted.sent.map(({ at, user }) => at - atOf(pushed, user) - thinkMs));
  return {
    what: `${crowded} users at once, bot ${thinkMs / 1_000} s: first typing; renewals, how long after the show; cover of the slowest; answers after the bot's time`,
    values: {
      'typing p50': ms(first.p50),
      'typing p99': ms(first.p99),
      renewals: count(renewals.length),
      'renewal p50': ms(ages.p50),
      'renewal at most': ms(ages.max),
      cover: percent(cover),
      'answer p50': ms(answers.p50),
      'answer at most': ms(answers.max),
    },
    goal: {
      says: 'typing p99 ≤ 400 ms; renewed within 300 ms; cover ≥ 97 %',
      met: (of) => of('typing p99') <= 400 && of('renewal at most') - lifetime <= 300 && of('cover') >= 97,
    },
    exact: { turns: pushed.length, wrong: { ...wrongOf(pushed, noted), 'without typing': none } },
  };
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
  return {
    inline: pushed.filter(({ inline }) => inline.length > 0).length,
    sent: sent.length,
    missing: answers.filter((answer) => answer === 0).length,
    doubled: answers.filter((answer) => answer > 1).length,
    askedAgain: [...countByUser(asked).values()].filter((calls) => calls > 1).length,
  };
}

/** Who has had no answer, or more than one. */
function wrongOf(pushed: readonly Pushed[], noted: Noted): Record<string, number> {
  const { missing, doubled } = endsOf(pushed, noted);
  return { 'without an answer': missing, 'answered twice': doubled };
}

const atOnce = 2_000;

async function burst(bench: BenchRedis): Promise<Row[]> {
  const own = await drive('product', bench, burstOf);
  // What the machine, the bench and a single process can do at most.
  const hand = await drive('hand-written', bench, burstOf);
  return [
    {
      what: `${atOnce} pushes at once to one web: acknowledged; first typing; beside hand-written`,
      values: {
        ...own.values,
        ...prefixed('hand-written', hand.values),
        ratio: times((own.values['p50']?.value ?? 0) / (hand.values['p50']?.value ?? 0)),
      },
      goal: { says: 'acknowledged within 5 s', met: (of) => of('at most') <= 5_000 },
      exact: { turns: atOnce, wrong: own.wrong },
    },
  ];
}

async function burstOf({
  site,
  load,
}: Driven): Promise<{ values: Row['values']; wrong: Record<string, number> }> {
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const pushed = await load.pushAll(atOnce, atOnce);
  lag.disable();
  await until(site, (noted) => endsOf(pushed, noted).missing === 0, 60_000);
  await wait(3_000); // One too many would come now.
  const noted = await site.order({});
  const ends = endsOf(pushed, noted);
  const held = latencies(pushed.flatMap((each) => each.held));
  const { waits, none } = firstTypings(pushed, noted);
  const typing = latencies(waits);
  return {
    values: {
      p50: ms(held.p50),
      'at most': ms(held.max),
      'answers inline': count(ends.inline),
      'answers sent': count(ends.sent),
      'bot asked again': count(ends.askedAgain),
      'typing p50': ms(typing.p50),
      'typing at most': ms(typing.max),
      'without typing': count(none),
      'the bench itself late by at most': ms(lag.max / 1e6),
    },
    wrong: { ...wrongOf(pushed, noted), faulty: pushed.flatMap(({ faults }) => faults).length },
  };
}

async function leftovers(bench: BenchRedis): Promise<Row[]> {
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
    const each = (of: (all: Kept) => number): number => (of(after) - of(before)) / turns;
    const most = Object.entries(minus(after.byKind, before.byKind)).toSorted(([, a], [, b]) => b - a);
    const list = most.slice(0, 6).map(([kind, taken]) => [`at first ${kind}`, bytes(taken / turns)]);
    const grown = Object.keys(small).flatMap((name) => [
      [`RSS of ${name} before`, megabytes(small[name] ?? Number.NaN)],
      [`RSS of ${name} after`, megabytes(large[name] ?? Number.NaN)],
    ]);
    return [
      {
        what: `left in Redis by each of ${turns} ended turns, beside the journal: at first, and of traffic that has gone on for 7 min`,
        values: {
          'at first keys': count(each((all) => all.keys)),
          'at first': bytes(each((all) => all.bytes - ofJournal(all))),
          ...Object.fromEntries(list),
          'lasting keys': count(each((all) => all.lasting.keys)),
          lasting: bytes(each((all) => all.lasting.bytes)),
          ...Object.fromEntries(grown),
        },
        goal: {
          says: 'lasting ≤ 2 keys, ≤ 500 bytes',
          met: (of) => of('lasting keys') <= 2 && of('lasting') <= 500,
        },
        exact: { turns, wrong: {} },
      },
    ];
  });
}

/** Times are taken several times; what is counted is the same each time. */
export const turnsBenches: Record<string, Bench> = {
  cpu,
  counts: once(counts),
  latency,
  stranger: once(stranger),
  crowd,
  burst,
  leftovers: once(leftovers),
};

/** Run by itself: the rows that are named, each on a redis-server of its own. */
async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const { names, runs, json } = wantedOf(words, turnsBenches, 3);
  const wanted = Object.entries(turnsBenches).filter(([name]) => names.length === 0 || names.includes(name));
  const start = startOf(`npx tsx bench/turns.ts ${words.join(' ')}`);
  const run = await runAll(Object.fromEntries(wanted), runs);
  process.stdout.write(json ? `${JSON.stringify(run.rows, null, 2)}\n` : `\n${recordOf(start, run)}`);
  if (!isMet(run)) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
