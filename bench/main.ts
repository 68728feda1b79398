/**
 * `npm run bench`: the record. Everything measured here on the simulator, several times, into bench/results.md; a row by
 * itself (`npm run bench ingest`) is only printed, or with `--record` takes its place there. `npm run bench -- --runs 1`
 * is the quick one.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { accounts } from './accounts.ts';
import { cost } from './cost.ts';
import { footprint } from './footprint.ts';
import { forwarding } from './forwarding.ts';
import { ingest } from './ingest.ts';
import { dayOfKeys } from './keys.ts';
import { type Bench, once } from './measure.ts';
import { peersBench } from './peers.ts';
import { isMet, recordOf, renew, runAll, startOf, wantedOf } from './record.ts';
import { receiver } from './receiver.ts';
import { shards } from './shards.ts';
import { sizing } from './sizing.ts';
import { turnsBenches } from './turns.ts';
import { viewers } from './viewers.ts';
import { wakes } from './wakes.ts';

const benches: Record<string, Bench> = {
  ingest,
  receiver,
  forwarding,
  wakes,
  ...turnsBenches,
  accounts: once(accounts),
  footprint: once(footprint),
  viewers: once(viewers),
  cost: once(cost),
  peers: once(peersBench),
  shards: once(shards),
  keys: once(dayOfKeys),
  sizing: once(sizing),
};

const preface = `# What was measured

By \`npm run bench\`, which writes this file; \`npm run bench -- ingest --record\` takes some of its rows again. Of each value the middle of all runs, and their range; rows that count, or that last, were taken once. \`Beside\` means in the same run. Users write when they like, whatever is under way (open loop), where nothing else is said. Each turn was held against what came of it: one that has no answer, or two, is told. When a row was taken stands in its last column, on what, and of which commit, here:
`;

const file = fileURLToPath(new URL('results.md', import.meta.url));
const words = process.argv.slice(2);
const { names, runs, json } = wantedOf(words, benches);
const isWhole = names.length === 0;
const wanted = Object.entries(benches).filter(([name]) => isWhole || names.includes(name));
const start = startOf(`npm run bench${words.length > 0 ? ` -- ${words.join(' ')}` : ''}`);
const write = async (record: string): Promise<void> => {
  const all = isWhole ? record : renew(await readFile(file, 'utf8'), record);
  await writeFile(file, `${preface}\n${all}`);
};
const run = await runAll(Object.fromEntries(wanted), runs, async (soFar) => {
  if (isWhole || words.includes('--record')) await write(recordOf(start, soFar));
});
process.stdout.write(json ? `${JSON.stringify(run.rows, null, 2)}\n` : `\n${recordOf(start, run)}`);
if (!isMet(run)) process.exitCode = 1;
