/**
 * `npm run chaos` (after `npm run build`): real processes on a real redis-server between simulated platforms, while one
 * thing after the other goes wrong: first a calm run, then seed by seed. Any single fault must break nothing.
 *
 *     --redis X     on `several` redis-servers, a `cluster`, or behind `sentinel`s, where replicas take over from primaries
 *                   that die with their last writes (default `single`)
 *     --seed N      the first seed (default 1); alone with --seeds 1 it repeats a run's plan
 *     --seeds K     so many, consecutive (default 3)
 *     --seconds S   users write for so long in each (default 24; 40 where replicas take over)
 *     --calm        the calm run only
 *     --only A,B    of all faults only these (plan.ts names them)
 *
 * A run's plan (plan.ts) comes from its seed alone; strikes.ts carries it out on a fleet (fleet.ts); judge.ts holds the
 * record against what is promised. What breaks is printed with the plan and the folder of the record and the processes'
 * logs; what a fault explains is listed apart.
 */
import { parseArgs } from 'node:util';
import { type Ground, kinds, kindsOn, planOf, shardsOn, wordsOf } from './plan.ts';
import { lineOf, say, sayBroken } from './report.ts';
import { forget, type Ran, run } from './run.ts';
import { seconds } from './judge-answers.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '3' },
    seconds: { type: 'string' },
    calm: { type: 'boolean', default: false },
    only: { type: 'string', default: kinds.join(',') },
    redis: { type: 'string', default: 'single' },
  },
});
const ground = groundOf(values.redis);
const first = Number(values.seed);
const possible = kindsOn(ground);
const length = Number(values.seconds ?? (possible.includes('redis-failover') ? 40 : 24));
const only = possible.filter((kind) => values.only.split(',').includes(kind));

function groundOf(name: string): Ground {
  const found = Object.keys(shardsOn).find((each) => each === name);
  if (found === undefined)
    throw new Error(`--redis is ${name}: it may be ${Object.keys(shardsOn).join(', ')}.`);
  return found as Ground;
}

/** Whether nothing was broken. */
async function play(seed: number, calm: boolean): Promise<boolean> {
  const seconds = calm ? Math.min(length, 10) : length;
  const plan = planOf({ seed, seconds, only: calm ? [] : only, ground });
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
    say(
      `  again: npm run chaos -- --redis ${ground} --seed ${plan.seed} --seeds 1 --seconds ${plan.seconds}${onlyOf()}`,
    );
}

function onlyOf(): string {
  return only.length < possible.length ? ` --only ${only.join(',')}` : '';
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const results = [await play(first, true)];
for (let n = 0; n < (values.calm ? 0 : Number(values.seeds)); n += 1)
  results.push(await play(first + n, false));
if (results.includes(false)) process.exitCode = 1;
