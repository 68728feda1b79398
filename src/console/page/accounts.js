/** The accounts: a row each, and what was refused and what ended the waits to be opened. */
import { createMark, createName } from './cells.js';
import { element, keyed, saying, setAttribute, setShown, setText } from './dom.js';
import { clock, count, length, percent } from './format.js';
import { accountName } from './model.js';
import { errorOf, say } from './said.js';
import { ask } from './server.js';
import { createTable } from './table.js';
import { named, sentence, word } from './words.js';

export function createAccounts(table) {
  return createTable(table, {
    key: accountName,
    columns: [
      { head: 'account', create: createName },
      { head: 'typing', create: createTyping },
      { head: 'waitingTyping', kind: 'number', create: createWaiting },
      { head: 'turns', kind: 'number', text: ({ turns }) => count(turns) },
      { head: 'callsPerMinute', kind: 'number', text: ({ callsPerMinute }) => count(callsPerMinute) },
      { head: 'wait', kind: 'number', text: waitOf },
      { head: 'cover', kind: 'number', text: ({ cover }) => (cover === null ? '–' : percent(cover)) },
      { head: 'breaker', create: createBreaker },
      { head: 'bot', text: ({ bot }) => named('bot', bot) },
      { head: 'details', kind: 'whole', create: createDetails },
    ],
  });
}

function waitOf({ waitP50, waitP95 }) {
  return waitP50 === null || waitP95 === null
    ? '–'
    : `${length(waitP50 * 1_000)} / ${length(waitP95 * 1_000)}`;
}

function createTyping(cell) {
  const mark = createMark(cell);
  return ({ typing }) => {
    if (typing.is === 'on') mark('good', word('typing.on'));
    else if (typing.is === 'mode_off') mark('off', word('typing.mode_off'));
    else if (typing.is === 'trying') mark('warn', word('typing.trying'));
    else mark('bad', word('typing.off', { until: clock(typing.until) }));
  };
}

function createWaiting(cell) {
  const link = element('a', { href: '#conversations' });
  cell.append(link);
  return (row) => {
    setText(link, `${count(row.open)} / ${count(row.lit)}`);
    setAttribute(link, 'href', `#conversations?${new URLSearchParams({ account: accountName(row) })}`);
  };
}

function createBreaker(cell) {
  const mark = createMark(cell);
  const tones = { closed: 'good', open: 'bad', 'half-open': 'warn' };
  return ({ breaker }) => mark(tones[breaker] ?? 'warn', named('breaker', breaker));
}

function createDetails(cell) {
  const again = createAgain();
  const summary = element('summary');
  const refusals = element('div', { class: 'table refusals', role: 'table', 'data-word-label': 'refusals' });
  const none = saying('p', 'refusalsNone', { class: 'fine' });
  const ends = element('ul', { class: 'ends' });
  const noEnds = saying('p', 'endsNone', { class: 'fine' });
  refusals.setAttribute('aria-label', word('refusals'));
  const drawRefusals = createTable(refusals, {
    columns: refusalColumns,
    key: ({ code, outcome }) => `${code} ${outcome}`,
  });
  const details = element('details', {}, summary);
  details.append(saying('h4', 'refusals'), refusals, none, saying('h4', 'ends'), ends, noEnds);
  cell.append(again.button, details);
  return (row) => {
    again.update(row);
    setText(summary, word('more', { n: count(row.refusals.reduce((sum, one) => sum + one.count, 0)) }));
    drawRefusals(row.refusals);
    setShown(row.refusals.length === 0, none);
    keyed(ends, row.ends, { key: ({ by }) => by, create: createEnd });
    setShown(row.ends.length === 0, noEnds);
  };
}

/** What was refused and may be mended is tried with the next message, not later. */
function createAgain() {
  const button = element('button', { type: 'button' });
  let row = null;
  button.addEventListener('click', async () => {
    const account = accountName(row);
    const answer = await ask('PUT', `accounts/${account}/typing`, {});
    if (answer.ok) say(word('tryAgainNews', { account }));
    else say(word('refusedNews', { error: errorOf(answer) }));
  });
  return {
    button,
    update: (present) => {
      row = present;
      setShown(present.typing.is === 'off', button);
      setText(button, word('tryAgain'));
      setAttribute(button, 'aria-label', word('tryAgainOf', { account: accountName(present) }));
    },
  };
}

const refusalColumns = [
  { head: 'code', kind: 'number', text: ({ code }) => (code === 0 ? '–' : code) },
  { head: 'outcome', text: ({ outcome }) => named('outcome', outcome) },
  { head: 'count', kind: 'number', text: (row) => count(row.count) },
  { head: 'remedy', text: ({ remedy }) => (remedy === null ? '–' : sentence(remedy)) },
];

function createEnd() {
  const root = element('li');
  return { root, update: ({ by, count: n }) => setText(root, `${count(n)} × ${named('evidence', by)}`) };
}
