/**
 * `npm run fuzz`: what strangers, platforms and bots may send, made up and broken, thrown at the parsers of both platforms,
 * their signatures, the gateway's paths and the reading of a bot's answers. targets.ts says what must hold.
 *
 *     --seconds S    for so long (default 60)
 *     --seed N       from this number on (default: another one each time; it is printed)
 *     --only A,B     of all targets only these
 *
 * What breaks is printed with its number: put that into seeds.json, which `npm test` plays each time.
 */
import { parseArgs } from 'node:util';
import { playAll } from './run.ts';
import { targets } from './targets.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    only: { type: 'string', default: Object.keys(targets).join(',') },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
const only = values.only.split(',');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Cases of each target between two looks at the clock. */
const round = 50;
/** More are not needed to see what is wrong. */
const enough = 20;

say(`fuzz: seed ${seed}, ${seconds} s, ${only.join(', ')}`);
const until = performance.now() + seconds * 1_000;
let [played, broken] = [0, 0];
do {
  for (const found of await playAll(seed + played, round, only)) {
    broken += 1;
    say(`BROKEN ${found.target} ${found.seed}: ${found.what}`);
    say(`  again: npm run fuzz -- --only ${found.target} --seed ${found.seed} --seconds 0`);
  }
  played += round;
} while (performance.now() < until && broken < enough);
say(
  `fuzz: ${played * only.length} cases from seed ${seed}, ${broken === 0 ? 'nothing broke' : `${broken} BROKEN`}`,
);
if (broken > 0) process.exitCode = 1;
