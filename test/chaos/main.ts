/**
 * `npm run chaos` (after `npm run build`): real processes on a real redis-server between simulated platforms, while one
 * thing after the other goes wrong: first a calm run, then seed by seed. Any single fault must break nothing.
 *
 *     --seed N      the first seed (default 1); alone with --seeds 1 it repeats a run's plan
 *     --seeds K     so many, consecutive (default 3)
 *     --seconds S   users write for so long in each (default 24)
 *     --calm        the calm run only
 *     --only A,B    of all faults only these (plan.ts names them)
 *
 * A run's plan (plan.ts) comes from its seed alone; strikes.ts carries it out on a fleet (fleet.ts); judge.ts holds the
 * record against what is promised. What breaks is printed with the plan and the folder of the record and the processes'
 * logs; what a fault explains is listed apart.
 */
import { parseArgs } from 'node:util';
import { kinds, planOf, wordsOf } from './plan.ts';
import { lineOf, say, sayBroken } from './report.ts';
import { forget, type Ran, run } from './run.ts';
import { seconds } from './judge-answers.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '24' },
    calm: { type: 'boolean', default: false },
    only: { type: 'string', default: kinds.join(',') },
  },
});
const first = Number(values.seed);
const length = Number(values.seconds);
const only = kinds.filter((kind) => values.only.split(',').includes(kind));

/** Whether nothing was broken. */
async function play(seed: number, calm: boolean): Promise<boolean> {
  const plan = planOf({ seed, seconds: calm ? Math.min(length, 10) : length, only: calm ? [] : only });
  const began = Date.now();
  const ran = await run(plan);
  const { broken, explained } = ran.verdict;
  const took = ((Date.now() - began) / 1000).toFixed(0);
  const what = `${ran.record.pushes.length} messages, ${plan.strikes.length} faults, ${took} s`;
  const name = calm ? 'calm' : `seed ${seed}`;
  say(
    `${name}: ${broken.length === 0 ? 'kept' : `${broken.length} BROKEN`}, ${explained.length} explained (${what})`,
  );
  for (const finding of explained) say(`  explained ${lineOf(ran, finding)}`);
  if (broken.length === 0) await forget(ran);
  else report(ran, plan);
  return broken.length === 0;
}

function report(ran: Ran, plan: ReturnType<typeof planOf>): void {
  const { record } = ran;
  if (plan.clocksApart) say('  plan: web-2 and worker-2 are 2 s ahead');
  for (const { at, strike } of plan.strikes) say(`  plan: +${(at / 1000).toFixed(2)} s ${wordsOf(strike)}`);
  for (const { strike, from, to } of record.struck)
    say(`  was:  ${seconds(record, from)} to ${seconds(record, to)} ${strike.kind}`);
  sayBroken(ran);
  if (!record.calm)
    say(`  again: npm run chaos -- --seed ${plan.seed} --seeds 1 --seconds ${plan.seconds}${onlyOf()}`);
}

function onlyOf(): string {
  return only.length < kinds.length ? ` --only ${only.join(',')}` : '';
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const results = [await play(first, true)];
for (let n = 0; n < (values.calm ? 0 : Number(values.seeds)); n += 1)
  results.push(await play(first + n, false));
if (results.includes(false)) process.exitCode = 1;
