/**
 * The judgement of one run, from its record alone. That a primary dies with its last writes explains nothing: whoever wrote
 * them writes them again. Only together with the death of that process would a push be lost, or an answer come twice, and
 * no run does both at once.
 */
import { judgeAnswers, seconds } from './judge-answers.ts';
import { judgeTyping } from './judge-typing.ts';
import { type Finding, together, type Verdict } from './promises.ts';
import type { Exit, Record } from './record.ts';

/** A platform kills a process that has not ended so long (ms) after it was told to. */
export const exitLimit = 25_000;

export function judge(record: Record): Verdict {
  return together([judgeAnswers(record), judgeTyping(record), judgeExits(record), judgeLeft(record)]);
}

function judgeExits(record: Record): Verdict {
  const broken = record.exits.flatMap((exit): Finding[] => {
    const wrong = whatIsWrong(exit);
    if (wrong === null) return [];
    const words = `${wrong}, ${seconds(record, exit.at)}`;
    return [{ promised: 'a process ends when and as it is told', who: exit.process, at: exit.at, words }];
  });
  return { broken, explained: [] };
}

function whatIsWrong({ ordered, code, tookMs }: Exit): string | null {
  if (ordered === null) return `ended by itself with ${code}`;
  if (ordered === 'SIGKILL') return null;
  if (code === null || tookMs > exitLimit) return `had not ended ${tookMs} ms after SIGTERM`;
  return code === 0 ? null : `ended with ${code} after SIGTERM`;
}

/** Keys that are meant to stay without an end; all else must have one. */
const lasting = [
  // BullMQ's own: what the queue is, its counter, its capped stream of events, when a delayed job is due.
  /^\{keeptyping(?::\d+)?\}:(typing|replies):(meta|id|events|marker)$/,
  // Failed reply jobs, which an operator may run again: gone after a day, and at most 1,000 (their keys: `ofFailed`).
  /^\{keeptyping(?::\d+)?\}:replies:failed$/,
  // What was learned of accounts, and when something was last seen of them: one key each, by account.
  /^\{keeptyping\}:(accounts|seen)$/,
  // How many shards there are.
  /^\{keeptyping\}:shards$/,
  // Who waits, and when to look again: where a bot's answer never came, until the turn's deadline.
  /^\{keeptyping(?::\d+)?\}:(open|wakes)$/,
];

function judgeLeft({ left }: Record): Verdict {
  const jobs = left.jobs.map((words): Finding => ({
    promised: 'Redis is left clean',
    who: 'jobs',
    at: null,
    words,
  }));
  const keys = left.keys
    .filter((key) => !lasting.some((pattern) => pattern.test(key)) && !left.failed.includes(key))
    .map((key): Finding => ({
      promised: 'Redis is left clean',
      who: key,
      at: null,
      words: 'stays for ever',
    }));
  return { broken: [...jobs, ...keys], explained: [] };
}
