/** Several runs of the benches as one table: of each value the middle of all runs, with their range. */
import { execFileSync } from 'node:child_process';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { type Bench, quantile, type Row, type Value } from './measure.ts';
import { startUntouchedRedis } from './redis.ts';

/** A row of all runs. */
export interface Recorded {
  what: string;
  runs: number;
  values: Record<string, Value & { least: number; most: number }>;
  goal: string | null;
  /** null: there is nothing to be met. */
  met: boolean | null;
  turns: number;
  wrong: Record<string, number>;
}

interface Run {
  rows: Recorded[];
  /** Benches that broke off, and why. */
  failed: string[];
  redis: string;
}

/** The names among the words of a command line, and how many runs it wants. @throws Error for what there is not */
export function wantedOf(
  words: readonly string[],
  benches: Record<string, Bench>,
  usually = 5,
): { names: string[]; runs: number; json: boolean } {
  const at = words.indexOf('--runs');
  const runs = at < 0 ? usually : Number(words[at + 1]);
  if (!Number.isInteger(runs) || runs < 1)
    throw new Error(`--runs ${words[at + 1] ?? ''}: give it a whole number from 1 on.`);
  const named = words.filter((word, index) => !word.startsWith('--') && (at < 0 || index !== at + 1));
  const unknown = named.filter((name) => !(name in benches));
  if (unknown.length > 0)
    throw new Error(`No such row: ${unknown.join(', ')}. There are ${Object.keys(benches).join(', ')}.`);
  return { names: named, runs, json: words.includes('--json') };
}

/**
 * Each on a redis-server of its own; all of them once before any of them again, for what disturbs comes and goes. `soFar`
 * is told after each run what all so far say.
 */
export async function runAll(
  benches: Record<string, Bench>,
  runs: number,
  soFar: (run: Run) => Promise<void> = async () => {},
): Promise<Run> {
  const rows: Row[] = [];
  const failed: string[] = [];
  let version = '';
  const all = (): Run => {
    const names = [...new Set(rows.map(({ what }) => what))];
    return {
      rows: names.map((what) => ofAll(rows.filter((row) => row.what === what))),
      failed,
      redis: version,
    };
  };
  for (let run = 0; run < runs; run += 1) {
    for (const [name, bench] of Object.entries(benches)) {
      const began = performance.now();
      // Beside other work on this machine, times say little; counts do not mind.
      process.stderr.write(`${run + 1}/${runs} ${name}… (load ${loadavg()[0]?.toFixed(1)})`);
      const redis = await startUntouchedRedis();
      version = await redis.version();
      let said = '';
      try {
        const found = await bench(redis, run);
        rows.push(...found);
        said = found.map((row) => `${lineOf(ofAll([row]))}\n`).join('');
      } catch (error) {
        failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        said = `${failed.at(-1)}\n`;
      }
      await redis.stop();
      process.stderr.write(` ${Math.round((performance.now() - began) / 1_000)} s\n${said}`);
    }
    await soFar(all());
  }
  return all();
}

/** The same row of several runs, as one. */
export function ofAll(rows: readonly Row[]): Recorded {
  const [{ what, values: first, goal } = nothing] = rows;
  const values = Object.entries(first).map(([name, { unit }]) => {
    const all = rows.map((row) => row.values[name]?.value ?? Number.NaN);
    const [value, least, most] = [0.5, 0, 1].map((p) => quantile(all, p));
    return [name, { value, least, most, unit }] as const;
  });
  const wrong: Record<string, number> = {};
  for (const { exact } of rows)
    for (const [name, howMany] of Object.entries(exact?.wrong ?? {}))
      wrong[name] = (wrong[name] ?? 0) + howMany;
  const recorded = Object.fromEntries(values) as Recorded['values'];
  const isExact = Object.values(wrong).every((howMany) => howMany === 0);
  const isMet = goal?.met((name) => recorded[name]?.value ?? Number.NaN) ?? null;
  const turns = rows.reduce((all, { exact }) => all + (exact?.turns ?? 0), 0);
  return {
    what,
    runs: rows.length,
    values: recorded,
    goal: goal?.says ?? null,
    met: isExact ? isMet : false,
    turns,
    wrong,
  };
}

const nothing: Row = { what: '', values: {} };

const git = (...words: string[]): string => execFileSync('git', words, { encoding: 'utf8' }).trim();

/** By when it began, on which commit, with which words, and on which machine: to be asked before it runs, for it writes files. */
export function startOf(command: string): { taken: string; says: string } {
  const changes = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes';
  const taken = `${new Date().toISOString().slice(0, 16)}Z`;
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()} ${arch()}`;
  const says = `${taken}: commit ${git('rev-parse', '--short', 'HEAD')}${changes}, \`${command}\`, on ${machine}, load ${loadavg()[0]?.toFixed(1)} before, Node ${process.version}`;
  return { taken, says };
}

/** All that was measured, as Markdown. */
export function recordOf({ taken, says }: ReturnType<typeof startOf>, { rows, failed, redis }: Run): string {
  const broken = failed.map((each) => `\n**Broke off:** ${each}\n`).join('');
  return `- ${says}, Redis ${redis} with its own defaults, nothing persisted\n\n${table(rows, taken)}\n${broken}`;
}

/** The record with these rows in place of the same ones, and the others, those of what broke off too, as they were taken. */
export function renew(record: string, newer: string): string {
  const [before, now] = [record, newer].map(partsOf) as [Parts, Parts];
  const rows = new Map([...before.rows, ...now.rows]);
  const starts = [...new Set([...before.starts, ...now.starts])].filter((start) => {
    const [taken] = start.slice(2).split(': ');
    return [...rows.values()].some((row) => row.endsWith(`| ${taken} |`));
  });
  return [...starts, '', head, rule, ...rows.values(), ''].join('\n');
}

interface Parts {
  starts: string[];
  /** By what they say of what. */
  rows: Map<string, string>;
}

function partsOf(record: string): Parts {
  const lines = record.split('\n');
  const rows = lines.filter((line) => line.startsWith('| ') && line !== head && line !== rule);
  return {
    starts: lines.filter((line) => line.startsWith('- ')),
    rows: new Map(rows.map((row) => [row.split(' | ')[0] ?? '', row])),
  };
}

/** Whether all that was to be met was, for whoever runs this in a script. */
export function isMet({ rows, failed }: Run): boolean {
  return failed.length === 0 && rows.every(({ met }) => met !== false);
}

const head =
  '| what | measured | turns, and how many of them ended as they should | goal | met | runs | taken |';
const rule = '| --- | --- | --- | --- | --- | --- | --- |';

/** Rows as Markdown; `taken`: by which of the lines above. */
export function table(rows: readonly Recorded[], taken: string): string {
  return [head, rule, ...rows.map((row) => `${lineOf(row)} ${taken} |`)].join('\n');
}

function lineOf({ what, runs, values, goal, met, turns, wrong }: Recorded): string {
  const measured = Object.entries(values).map(([name, each]) => `${name} ${told(each)}`);
  const faults = Object.entries(wrong).flatMap(([name, howMany]) =>
    howMany > 0 ? [`${howMany} ${name}`] : [],
  );
  const exact = turns === 0 ? '–' : `${turns}: ${faults.length === 0 ? 'each' : `**${faults.join(', ')}**`}`;
  const judged = met === null ? '–' : met ? 'yes' : '**no**';
  return `| ${what} | ${measured.join('; ')} | ${exact} | ${goal ?? '–'} | ${judged} | ${runs} |`;
}

function told({ value, least, most, unit }: Recorded['values'][string]): string {
  const sign = unit === '' || unit === '/s' || unit === '%' ? unit.replace('%', ' %') : ` ${unit}`;
  const range = shortly(least) === shortly(most) ? '' : ` (${shortly(least)}–${shortly(most)})`;
  return `${shortly(value)}${sign}${range}`;
}

/** Three figures say all that a run tells. */
function shortly(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
