/**
 * `npm run walk`: the files and functions that one push of a slow WeChat bot enters, beyond what an idle process runs,
 * by V8's coverage. Exits with 1 when they are more than a reader can follow, when what is to be done once is not, or when
 * the first walk of ARCHITECTURE.md goes another way.
 */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';
import { openStage } from '../test/e2e/stage.ts';
import { wait } from './measure.ts';

/** Files; nobody reads more to understand one message. */
const most = 55;
/** The request to the bot is made, and its answer read, once: neither awaits, and V8 counts each resumption as a call. */
const once = ['core/bot.ts botRequest', 'wechat/answer.ts readPassive'];
/** What the process does by itself comes each second or so, or each tenth; once in 37 s the clock is set, later than this ends (ms). */
const idleMs = 14_000;
/** Until all that follows a message is done (ms). */
const restMs = 2_000;
/** Past the hold of 300 ms and a renewal at 630 ms: the answer goes out by custom/send (ms). */
const thinkMs = 900;

const root = fileURLToPath(new URL('../src/', import.meta.url));
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

interface Ran {
  file: string;
  name: string;
  count: number;
}

/** What ran since the last look, each function by its place in the source. */
async function ranSince(): Promise<Map<string, Ran>> {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const ran = new Map<string, Ran>();
  for (const { url, functions } of result) {
    const path = url.startsWith('file:') ? fileURLToPath(url) : '';
    const file = path.slice(root.length);
    if (!path.startsWith(root) || /^(simulator|demo)\//.test(file)) continue;
    for (const { functionName: name, ranges } of functions) {
      const { count = 0, startOffset } = ranges[0] ?? {};
      // The loader's own helper stands in each file.
      if (count === 0 || name === '__name') continue;
      ran.set(`${file}@${startOffset}`, { file, name: name || '(anonymous)', count });
    }
  }
  return ran;
}

const stage = await openStage({ bot: { thinkMs } });
const { wechat } = stage.simulator;
const push = async (user: string): Promise<void> => {
  const answered = wechat.phone(user).next(({ what }) => what === 'received');
  await Promise.all([wechat.push({ user, text: 'hi' }), answered]);
  await wait(restMs);
};
await push('oFirst'); // It fetches the token and opens connections.
await ranSince();
await wait(idleMs);
const idle = await ranSince();
await push('oSecond');
const walk = [...(await ranSince())].filter(([place]) => !idle.has(place)).map(([, ran]) => ran);
await stage.close();

const files = new Map<string, string[]>();
for (const { file, name } of walk) files.set(file, [...(files.get(file) ?? []), name]);
for (const [file, names] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  process.stdout.write(`${file}: ${names.join(', ')}\n`);
const repeated = once.filter((each) => {
  const calls = walk.filter(({ file, name }) => `${file} ${name}` === each);
  return calls.length !== 1 || calls[0]?.count !== 1;
});

const [, told = ''] = readFileSync(new URL('../ARCHITECTURE.md', import.meta.url), 'utf8').split(/^\*\*A /m);
const astray = [...told.matchAll(/\[`(\w+)`\]\(src\/([\w/.-]+)\)/g)].filter(([, name = '', file = '']) => {
  // What is made when the process starts has its work in the functions that it returns.
  return !(files.get(file) ?? []).some((ran) => ran === name || name.startsWith('create'));
});

process.stdout.write(`\n${files.size} files, ${walk.length} functions (at most ${most} files)\n`);
if (repeated.length > 0) process.stdout.write(`Not done exactly once: ${repeated.join(', ')}\n`);
for (const [link] of astray) process.stdout.write(`In ARCHITECTURE.md, but not entered: ${link}\n`);
process.exit(files.size > most || repeated.length > 0 || astray.length > 0 ? 1 : 0);
