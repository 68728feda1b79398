/** What the journal holds of what is searched for. */
import { now } from './model.js';
import { ask } from './server.js';
import { afterMs, turnsOf } from './turns.js';

/** One answer looks through a part of the journal; an empty one says where to go on. */
const emptyPages = 10;
/** Of a message's wait the calls name only the user: so many waits are completed. */
const completed = 3;
/** Clocks of several processes differ by less (ms). */
const slack = 1_000;

/** Resolves with the server's answer; its `body.entries` are newest first, `before` where older ones begin or null. */
export async function findEvents({ q, from, to }, before) {
  let answer = await askFor({ q, from: timeOf(from), to: timeOf(to), before });
  for (let pages = 1; pages < emptyPages && isEmpty(answer); pages += 1)
    answer = await askFor({ q, from: timeOf(from), to: timeOf(to), before: answer.body.before });
  if (!answer.ok) return answer;
  return { ...answer, body: { ...answer.body, entries: await complete(answer.body.entries, q) } };
}

function isEmpty({ ok, body }) {
  return ok && body.entries.length === 0 && body.before !== null;
}

function askFor(asked) {
  const given = Object.entries(asked).filter(([, value]) => value !== null && value !== undefined);
  return ask('GET', `search?${new URLSearchParams(given)}`);
}

/** A field's local time, in ms; null: none. */
function timeOf(local) {
  const at = Date.parse(local ?? '');
  return Number.isNaN(at) ? null : at;
}

async function complete(entries, q) {
  const waits = turnsOf(entries).filter(
    ({ turn, user }) => turn !== null && typeof user === 'string' && user !== q,
  );
  const further = await Promise.all(
    waits.slice(0, completed).map(async ({ user, begun, over }) => {
      const to = Math.min(over, now()) + afterMs;
      const { ok, body } = await askFor({ q: user, from: begun - slack, to });
      return ok ? body.entries : [];
    }),
  );
  if (further.length === 0) return entries;
  const asked = new Set(entries.map(({ id }) => id));
  const all = new Map([...entries, ...further.flat()].map((entry) => [entry.id, entry]));
  const theirs = turnsOf([...all.values()].sort(newestFirst)).filter((wait) =>
    wait.entries.some(({ id }) => asked.has(id)),
  );
  const kept = new Map(theirs.flatMap((wait) => wait.entries).map((entry) => [entry.id, entry]));
  return [...kept.values()].sort(newestFirst);
}

/** Ids of a stream: a time, and a number within it. */
function newestFirst({ id: one }, { id: other }) {
  const [time, n] = one.split('-').map(Number);
  const [otherTime, otherN] = other.split('-').map(Number);
  return otherTime - time || otherN - n;
}
