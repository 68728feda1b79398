/** Who waits now, the longest first. */
import { createName, createUser } from './cells.js';
import { element, keyed, saying, setAttribute, setShown, setText } from './dom.js';
import { count, ticking } from './format.js';
import { createIndicator } from './indicator.js';
import { accountName, conversationRows, model, now } from './model.js';
import { createPause } from './pause.js';
import { createTable } from './table.js';
import { word } from './words.js';

/** More new rows at a time would hold up what the operator does. */
const builtAtOnce = 100;
const find = (id) => document.getElementById(id);

export function createConversations() {
  const drawTable = createTable(find('conversations'), { columns, key: ({ id }) => id });
  find('conversations').setAttribute('aria-labelledby', 'conversations-name');
  const [account, text] = [find('filter-account'), find('filter-text')];
  const all = saying('option', 'all', { value: '' });
  const accounts = element('optgroup');
  account.append(all, accounts);
  setAttribute(accounts, 'label', '—');
  let built = 0;
  const draw = () => {
    const { waiting, paused } = conversationRows();
    const rows = [...waiting, ...paused];
    keyed(accounts, accountNames(rows, account.value), { key: (name) => name, create: createOption });
    const wanted = rows.filter((row) => matches(row, account.value, text.value));
    built = Math.min(wanted.length, built + builtAtOnce);
    drawTable(wanted.slice(0, built));
    if (built < wanted.length) requestAnimationFrame(draw);
    const isFiltered = account.value !== '' || text.value.trim() !== '';
    setText(
      find('conversations-count'),
      countOf({ waiting: waiting.length, listed: rows.length, wanted: wanted.length, isFiltered }),
    );
    setShown(wanted.length === 0, find('conversations-none'));
    setText(
      find('conversations-none'),
      word(isFiltered && rows.length > 0 ? 'matchingNone' : 'conversationsNone'),
    );
  };
  for (const field of [account, text]) field.addEventListener('input', draw);
  find('filter').addEventListener('submit', (event) => event.preventDefault());
  return {
    draw,
    /** Only these of one account. */
    choose: (name) => {
      keyed(accounts, accountNames([], name), { key: (one) => one, create: createOption });
      account.value = name;
      text.value = '';
    },
  };
}

const columns = [
  { head: 'user', create: createUser },
  { head: 'account', create: createName },
  { head: 'since', kind: 'number', ticks: true, create: createWait },
  { head: 'indicator', create: createIndicator },
  { head: 'action', kind: 'action', create: (cell) => createPause(cell) },
];

/** The account that is chosen stays in the list. */
function accountNames(rows, chosen) {
  const names = [...(model.overview?.accounts ?? []), ...rows].map(accountName);
  return [...new Set(chosen === '' ? names : [...names, chosen])].sort((a, b) => a.localeCompare(b));
}

function createOption(name) {
  return { root: element('option', { value: name }, name), update: () => {} };
}

function matches(row, account, text) {
  if (account !== '' && accountName(row) !== account) return false;
  return row.user.toLowerCase().includes(text.trim().toLowerCase());
}

function countOf({ waiting, listed, wanted, isFiltered }) {
  const of =
    model.open > waiting
      ? word('shownOf', { n: count(waiting), m: count(model.open) })
      : word('shownAll', { m: count(waiting) });
  return isFiltered ? `${of} ${word('matching', { n: count(wanted), m: count(listed) })}` : of;
}

function createWait(cell) {
  const [wait, more] = [element('span'), element('small')];
  cell.append(wait, ' ', more);
  return ({ turns }) => {
    setText(wait, turns.length === 0 ? '–' : ticking(now() - turns[0].openedAt));
    setText(more, turns.length > 1 ? word('messages', { n: turns.length }) : '');
  };
}
