/**
 * What wakes conversations beside keeptyping, a typing call at the end of each wake: `setTimeout` keeps a timer for each,
 * and nothing of them when it dies; `BullMQ` a delayed job for each, that adds the next.
 */
import { Agent, request } from 'node:http';
import { Queue, Worker } from 'bullmq';

const [, , kind, api, everyMs] = process.argv;
const agent = new Agent({ keepAlive: true });
const headers = { 'Content-Type': 'application/json' };
let late = [];

/** Resolves when the platform has answered. */
function wake({ user, due }) {
  late.push(Date.now() - due);
  return new Promise((resolve, reject) => {
    const call = request(api, { method: 'POST', agent, headers }, (answer) =>
      answer.resume().once('end', resolve),
    );
    call.once('error', reject).end(JSON.stringify({ touser: user, command: 'Typing' }));
  });
}

const next = ({ user }) => ({ user, due: Date.now() + Number(everyMs) });

function byTimers() {
  const again = async (one) => {
    await wake(one);
    plan(next(one));
  };
  const plan = (one) => setTimeout(() => void again(one), one.due - Date.now());
  return async (all) => all.forEach(plan);
}

const jobOf = (one) => ({
  name: 'wake',
  data: one,
  opts: { delay: Math.max(0, one.due - Date.now()), removeOnComplete: true },
});

function byJobs() {
  const connection = { url: process.env.REDIS_URL };
  const queue = new Queue('wakes', { connection });
  const work = async ({ data }) => {
    await wake(data);
    await queue.addBulk([jobOf(next(data))]);
  };
  const worker = new Worker('wakes', work, { connection, concurrency: 200 });
  worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
  return async (all) => {
    for (let first = 0; first < all.length; first += 1_000)
      await queue.addBulk(all.slice(first, first + 1_000).map(jobOf));
  };
}

const plan = kind === 'BullMQ' ? byJobs() : byTimers();
async function answer(all) {
  if (all) await plan(all);
  process.send({ late });
  late = [];
}

process.send({});
process.on('message', ({ plan: all }) => void answer(all));
// With the bench, however that ended.
process.on('disconnect', () => process.exit());
