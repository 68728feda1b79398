/**
 * Keeps processes to a share of one processor each, as a smaller machine would: `share`, then their process ids. A process
 * that has taken more than its share so far is stopped until it has not. Ends with who has started it.
 */
import { readFileSync } from 'node:fs';

/** How often it looks (ms). What a process did not use is saved up for it no longer than so long. */
const look = 2;
const saved = 50;

const [share = 1, ...pids] = process.argv.slice(2).map(Number);

/** The processor time of its main thread, which is Redis's only one that works (ms). */
function usedBy(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

const kept = pids.map((pid) => ({ pid, used: usedBy(pid), budget: 0, isStopped: false }));
let at = performance.now();

function visit(): void {
  const now = performance.now();
  for (const each of kept) {
    const used = usedBy(each.pid);
    each.budget = Math.min(saved * share, each.budget + (now - at) * share) - (used - each.used);
    each.used = used;
    if (each.isStopped === each.budget < 0) continue;
    each.isStopped = !each.isStopped;
    process.kill(each.pid, each.isStopped ? 'SIGSTOP' : 'SIGCONT');
  }
  at = now;
}

setInterval(visit, look);
process.send?.('throttled');
process.on('disconnect', () => {
  for (const { pid } of kept) process.kill(pid, 'SIGCONT');
  process.exit();
});
