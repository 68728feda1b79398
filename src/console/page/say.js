/** What happened, in a sentence. The platform accepts a call; whether a phone shows anything, it does not tell. */
import { count, length, percent } from './format.js';
import { named, sentence, word } from './words.js';

/** @param isRepeat the platform has delivered the same push before */
export function sayNotice(notice, isRepeat = false) {
  if (isRepeat) return word('notice.repeat', notice);
  return (sayings[notice.is] ?? (() => word('notice.other', notice)))(notice);
}

/** The same, with whose it is. */
export function sayEvent(notice, isRepeat = false) {
  const whose = [notice.channel, notice.account, notice.user].filter((one) => typeof one === 'string');
  return [whose.join('/'), sayNotice(notice, isRepeat)].filter((one) => one !== '').join(' · ');
}

const sayings = {
  push: ({ result, status }) => word(`notice.push.${result}`, { status }),
  look: ({ reason }) => sentence(reason),
  refused: ({ count: n, reason }) => word('notice.refused', { n: count(n), reason: sentence(reason) }),
  inbound: ({ opensTurn, type }) => word(opensTurn ? 'notice.message' : 'notice.act', { type }),
  skipped: ({ reason }) => word('notice.skipped', { reason: named('reason', reason) }),
  call: sayCall,
  ended: ({ by }) => word('notice.ended', { by: named('evidence', by) }),
  ghost: ({ ms }) => word('notice.ghost', { ms: length(ms) }),
  outbound: ({ by }) => word('notice.seen', { by: named('evidence', by) }),
  handoff: ({ on, by }) => word(`notice.handoff.${on ? 'on' : 'off'}`, { by: named('by', by) }),
  delivery: ({ way, code, job }) => withJob(withCode(named('delivery', way), code), job),
  bot: sayBot,
  gateway: ({ overheadMs, waitedForShow }) =>
    word(waitedForShow ? 'notice.gateway.waited' : 'notice.gateway', { ms: length(overheadMs) }),
  lag: ({ queue, ms }) => word('notice.lag', { queue: named('queue', queue), ms: length(ms) }),
  breaker: ({ state }) => word(`notice.breaker.${state}`),
  token: ({ result, code }) => withCode(word(`notice.token.${result}`), code),
  account: ({ typing, code, remedy }) => withRemedy(withCode(word(`notice.account.${typing}`), code), remedy),
};

function sayCall({ kind, outcome, code, remedy, ms }) {
  const said = word('notice.call', { kind: named('kind', kind), outcome: named('outcome', outcome) });
  return withRemedy(`${withCode(said, code)} · ${length(ms)}`, remedy);
}

function sayBot({ status, result, ms, why }) {
  const cause = why === undefined ? null : sentence(why);
  const said = { status: cause ?? (status === 0 ? word('notice.bot.silent') : status), ms: length(ms) };
  return word(`notice.bot.${result}`, said);
}

function withCode(said, code) {
  return code === 0 ? said : `${said} (${word('withCode', { code })})`;
}

function withJob(said, job) {
  return job === null ? said : `${said} ${word('notice.job', { job })}`;
}

function withRemedy(said, remedy) {
  return remedy === null ? said : `${said} — ${sentence(remedy)}`;
}

/** What came of a wait: how long, and how much of it with typing, or why with none. */
export function sayOutcome({ waitMs, litMs, firstMs, untyped }) {
  const wait = word('waitOf', { wait: length(waitMs) });
  if (untyped !== null) return `${wait} · ${word('noTyping')}: ${named('reason', untyped)}`;
  const share = percent(waitMs === 0 ? 1 : Math.min(1, litMs / waitMs));
  const lit = word('litOf', { lit: length(litMs), cover: share });
  return [wait, lit, ...(firstMs === null ? [] : [word('firstOf', { first: length(firstMs) })])].join(' · ');
}
