/** What an operator has to know at once: shown at the top, said aloud when it begins and when it is over. */
import { clock, count } from './format.js';
import { accountName } from './model.js';
import { sentence, word } from './words.js';

/** Each with an id that stays the same for as long as it lasts. */
export function troublesOf({ redis, live, workers, accounts, skipped, queues }) {
  const failed = queues.find(({ name }) => name === 'replies')?.failed ?? 0;
  return [
    ...(redis === 'ok'
      ? []
      : [{ id: `redis ${redis}`, grave: true, says: () => word(`trouble.redis.${redis}`) }]),
    ...(live ? [] : [{ id: 'stale', grave: false, says: () => word('trouble.stale') }]),
    // Without Redis nobody knows of workers.
    ...(workers === 'none' && live
      ? [{ id: 'workers', grave: true, says: () => word('trouble.workers') }]
      : []),
    ...skipped.map(({ account, reason }) => ({
      id: `skipped ${account}`,
      grave: true,
      says: () => word('trouble.skipped', { account, reason: sentence(reason) }),
    })),
    ...accounts.flatMap(troublesOfAccount),
    ...(failed > 0
      ? [
          {
            id: 'failed',
            grave: false,
            to: '#failed',
            says: () => word('trouble.failed', { n: count(failed) }),
          },
        ]
      : []),
  ];
}

function troublesOfAccount(row) {
  const account = accountName(row);
  const { typing, breaker, impossible, more, refused, turns } = row;
  const troubles = refused.map(({ reason, count: n }) => ({
    id: `refused ${account} ${reason}`,
    // Where nothing else comes, it is all messages.
    grave: turns === 0,
    says: () => word('trouble.refused', { account, n: count(n), reason: sentence(reason) }),
  }));
  for (const { why, count: n } of row.botFailed)
    troubles.push({
      id: `bot ${account} ${why}`,
      grave: row.botAnswered === 0,
      to: '#failed',
      says: () => word('trouble.bot', { account, n: count(n), why: sentence(why) }),
    });
  if (row.look !== null)
    troubles.push({
      id: `look ${account} ${row.look}`,
      grave: false,
      says: () => word('trouble.look', { account, look: sentence(row.look) }),
    });
  const unseen = row.look === null ? unseenOf(row) : 0;
  if (unseen > 0)
    troubles.push({
      id: `unseen ${account}`,
      grave: false,
      says: () => word(`trouble.unseen.${row.channel}`, { account, n: count(unseen) }),
    });
  if (typing.is === 'off')
    troubles.push({
      id: `off ${account}`,
      grave: true,
      says: () =>
        word('trouble.off', {
          account,
          ...typing,
          remedy: sentence(typing.remedy),
          until: clock(typing.until),
        }),
    });
  if (typing.is === 'trying')
    troubles.push({
      id: `trying ${account}`,
      grave: false,
      says: () => word('trouble.trying', { account, ...typing, remedy: sentence(typing.remedy) }),
    });
  if (breaker !== 'closed')
    troubles.push({
      id: `breaker ${account}`,
      grave: breaker === 'open',
      says: () => word(breaker === 'open' ? 'trouble.breaker' : 'trouble.half-open', { account }),
    });
  if (impossible > 0)
    troubles.push({
      id: `impossible ${account}`,
      grave: false,
      to: '#failed',
      says: () => word('trouble.impossible', { account, n: count(impossible) }),
    });
  if (more > 0)
    troubles.push({
      id: `more ${account}`,
      grave: false,
      says: () => word('trouble.more', { account, n: count(more) }),
    });
  return troubles;
}

/** By what nothing is learned of answers. */
const silent = ['deadline', 'deliveries', 'left', 'crowded', 'handoff', 'reply-failed'];

/** So many waits ran into their deadline, and nothing has told of an answer. */
function unseenOf({ ends }) {
  if (ends.some(({ by }) => !silent.includes(by))) return 0;
  return ends.find(({ by }) => by === 'deadline')?.count ?? 0;
}

/** What is new since then, in sentences; nothing is new at the first look. */
export function newsOf(before, after) {
  if (before === null) return [];
  const [old, present] = [troublesOf(before), troublesOf(after)];
  const begun = present.filter(({ id }) => !old.some((one) => one.id === id)).map(({ says }) => says());
  const over = old
    .filter(({ id, grave }) => grave && !present.some((one) => one.id === id))
    .map(({ says }) => word('trouble.over', { what: says() }));
  return [...begun, ...over];
}
