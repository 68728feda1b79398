/**
 * `npm run rolling` (after `npm run build`): the rolling deploy. The release before this one and this one run side by
 * side on one Redis while users write; then the ones that were there first leave, one after the other. Once in each
 * order: a deploy (this release joins), and a rollback (the one before does). It is judged as a calm run of chaos is,
 * for a deploy excuses nothing; a wrong call that the release before has made by itself is listed apart.
 *
 *     --seed N      who writes what and when, and in what order they leave (default 1)
 *     --seconds S   users write for so long (default 60)
 *     --only X      of `deploy`, `rollback` and `control` (default: the first two). `control`: the release before gives
 *                   way to itself; what it breaks there, too, is its own
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Fleet } from './fleet.ts';
import { planOf, type Target, targets } from './plan.ts';
import { builtHere, type Release } from './processes.ts';
import type { Finding } from './promises.ts';
import { createDice } from './random.ts';
import { buildReleaseBefore, releaseBefore } from './release-before.ts';
import { lineOf, say, sayBroken } from './report.ts';
import { forget, type Ran, run } from './run.ts';
import { isOfReleaseBefore } from './whose.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', default: 'deploy,rollback' },
  },
});
const seed = Number(values.seed);
const length = Number(values.seconds);

const joining: readonly Target[] = ['worker-3', 'web-3', 'worker-4', 'web-4'];
const workers: readonly Target[] = ['worker-1', 'worker-2', 'worker-3', 'worker-4'];

interface Story {
  name: 'deploy' | 'rollback' | 'control';
  first: Release;
  /** Takes its place. */
  second: Release;
}

/** Whether nothing was broken. */
async function play(story: Story): Promise<boolean> {
  const plan = planOf({ seed, seconds: length, only: [] });
  const began = Date.now();
  const releaseOf = (name: Target): Release => (joining.includes(name) ? story.second : story.first);
  const ran = await run(plan, { releaseOf, meanwhile: roll });
  const logs = [...targets, ...joining].map((name) => ({
    isThisRelease: releaseOf(name) === builtHere,
    output: ran.outputOf(name),
  }));
  const { explained } = ran.verdict;
  const isItsOwn = (finding: Finding): boolean =>
    story.name !== 'control' && isOfReleaseBefore(finding, logs);
  const ofBefore = ran.verdict.broken.filter(isItsOwn);
  const broken = ran.verdict.broken.filter((finding) => !isItsOwn(finding));
  const found = `${explained.length} explained, ${ofBefore.length} of the release before alone`;
  const what = `${ran.record.pushes.length} messages, ${((Date.now() - began) / 1000).toFixed(0)} s`;
  say(`${story.name}: ${broken.length === 0 ? 'kept' : `${broken.length} BROKEN`}, ${found} (${what})`);
  const turns = workers.map((worker) => ({ worker, count: turnsOf(ran, worker) }));
  say(`  turns ended by ${turns.map(({ worker, count }) => `${worker} ${count}`).join(', ')}`);
  say(`  ${speedOf(ran)}`);
  for (const finding of explained) say(`  explained ${lineOf(ran, finding)}`);
  for (const finding of ofBefore) say(`  of the release before alone ${lineOf(ran, finding)}`);
  // A release that had no part in it would keep every promise.
  const idle = turns.filter(({ count }) => count === 0);
  for (const { worker } of idle) say(`  BROKEN ${worker} ended no turn: the releases were not side by side`);
  if (broken.length + idle.length === 0) await forget(ran);
  else sayBroken({ ...ran, verdict: { broken, explained } });
  return broken.length + idle.length === 0;
}

/** All join early, are together for the most of a minute, and the first ones leave before the users stop. */
async function roll(fleet: Fleet, startedAt: number): Promise<void> {
  const until = (part: number): Promise<void> =>
    wait(Math.max(0, startedAt + part * length * 1000 - Date.now()));
  await until(0.1);
  for (const name of joining) await fleet.launch(name);
  const leaving = createDice(seed).shuffled(targets);
  const left: Promise<void>[] = [];
  for (const [index, name] of leaving.entries()) {
    await until(0.55 + index * 0.08);
    // A platform does not wait for one that finishes its work before it tells the next.
    left.push(fleet.order(fleet.member(name), 'SIGTERM'));
  }
  await Promise.all(left);
}

/** Eight processes want a machine's cores: one that is busy besides is late with everything, and typing is first missed. */
function speedOf({ record }: Ran): string {
  const took = record.pushes
    .flatMap(({ text, at }) =>
      record.asked.filter((each) => each.text === text).map((asked) => asked.at - at),
    )
    .toSorted((a, b) => a - b);
  const slow = took.at(Math.floor(took.length * 0.9)) ?? 0;
  return `nine of ten messages were with the bot within ${slow} ms: above some 200 the machine was too busy to tell`;
}

/** A worker says of each turn in its log that it has ended. */
function turnsOf({ outputOf }: Ran, name: Target): number {
  return outputOf(name).split('turn ended').length - 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const before = await buildReleaseBefore();
if (before === null) {
  say(`This clone does not have the release before this one (${releaseBefore}): nothing was tried.`);
} else {
  const stories: Story[] = [
    { name: 'deploy', first: before, second: builtHere },
    { name: 'rollback', first: builtHere, second: before },
    { name: 'control', first: before, second: before },
  ];
  for (const story of stories.filter(({ name }) => values.only.split(',').includes(name)))
    if (!(await play(story))) process.exitCode = 1;
  await before.remove();
}
