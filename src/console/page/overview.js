/** How everything stands, at one glance. */
import { createAccounts } from './accounts.js';
import { createMark } from './cells.js';
import { element, keyed, saying, setAttribute, setShown, setText } from './dom.js';
import { clock, count, percent } from './format.js';
import { accountName, failedCount, model } from './model.js';
import { createPlot } from './plot.js';
import { sayEvent } from './say.js';
import { createTable } from './table.js';
import { troublesOf } from './troubles.js';
import { named, word } from './words.js';

const find = (id) => document.getElementById(id);

export function createOverview() {
  const tiles = createTiles(find('state'));
  const accounts = createAccounts(find('accounts'));
  const waits = createPlot(find('waits'), { label: 'waitsLabel', bound: (s) => word('s.s', { n: s }) });
  const covers = createPlot(find('covers'), { label: 'coversLabel', bound: percent });
  const untyped = createTable(find('untyped'), { columns: untypedColumns, key: ({ reason }) => reason });
  const queues = createTable(find('queues'), { columns: queueColumns, key: ({ name }) => name });
  return () => {
    const { overview } = model;
    drawEvents();
    if (overview === null) return;
    // What was read from Redis, here and in the other views.
    find('main').toggleAttribute('data-stale', !overview.live);
    tiles(overview);
    drawAttention(troublesOf(overview));
    accounts(overview.accounts);
    setShown(overview.accounts.length === 0, find('accounts-none'));
    const [n, m] = [overview.accounts.length, overview.accountsInAll];
    setShown(n < m, find('accounts-more'));
    setText(find('accounts-more'), word('accountsMore', { n: count(n), m: count(m) }));
    waits(overview.waits);
    covers(overview.covers);
    untyped(overview.untyped);
    setShown(overview.untyped.length === 0, find('untyped-none'));
    // That no wait has ended is said once, by the first of them.
    const waited = overview.waits.counts.some((some) => some > 0);
    setShown(waited, find('covers').parentElement);
    setShown(waited || overview.untyped.length > 0, find('untyped').parentElement);
    queues(overview.queues);
  };
}

const untypedColumns = [
  { head: 'reason', create: createReason },
  { head: 'count', kind: 'number', text: (row) => count(row.count) },
];

const queueColumns = [
  { head: 'queue', text: ({ name }) => named('queue', name) },
  { head: 'waitingJobs', kind: 'number', text: ({ waiting }) => count(waiting) },
  { head: 'active', kind: 'number', text: ({ active }) => count(active) },
  { head: 'delayed', kind: 'number', text: ({ delayed }) => count(delayed) },
  { head: 'failedJobs', kind: 'number', text: ({ failed }) => count(failed) },
];

function createReason(cell) {
  const [said, code] = [element('span'), element('code')];
  cell.append(said, ' ', code);
  return ({ reason }) => {
    setText(said, named('reason', reason));
    setText(code, reason);
  };
}

function createTiles(list) {
  const tile = (name) => {
    const value = element('dd');
    list.append(element('div', {}, saying('dt', name), value));
    return value;
  };
  const [redis, workers] = [createMark(tile('redis')), createMark(tile('workers'))];
  const [open, failed, journal] = [tile('openNow'), createMark(tile('failedName')), tile('journal')];
  return (overview) => {
    redis(overview.redis === 'ok' ? 'good' : 'bad', named('redis', overview.redis));
    workers(tones[overview.workers] ?? 'warn', named('workers', overview.workers));
    const [waiting, lit] = ['open', 'lit'].map((key) =>
      overview.accounts.reduce((sum, account) => sum + account[key], 0),
    );
    setText(open, word('litNow', { n: count(Math.max(waiting, model.open)), lit: count(lit) }));
    failed(failedCount() > 0 ? 'warn' : 'good', count(failedCount()));
    setText(journal, overview.journalFrom === null ? word('journalEmpty') : clock(overview.journalFrom));
  };
}

const tones = { alive: 'good', standby: 'warn', none: 'bad' };

function drawAttention(troubles) {
  keyed(find('attention'), troubles, { key: ({ id }) => id, create: createTrouble });
  setShown(troubles.length === 0, find('attention-none'));
}

function createTrouble({ to }) {
  const root = element('li');
  const text = to === undefined ? root : element('a', { href: to });
  if (to !== undefined) root.append(text);
  return {
    root,
    update: ({ grave, says }) => {
      setAttribute(root, 'data-tone', grave ? 'bad' : 'warn');
      setText(text, says());
    },
  };
}

function drawEvents() {
  setShown(model.events.length === 0, find('events-none'));
  if (find('events').open || model.events.length === 0)
    keyed(find('events-list'), model.events, { key: ({ id }) => id, create: createEvent });
}

/** The platform has delivered it before, as far as the page knows. */
function isRepeat({ id, notice }) {
  const older = model.events.slice(model.events.findIndex((event) => event.id === id) + 1);
  return notice.is === 'inbound' && older.some((event) => isSame(event.notice, notice));
}

function isSame(one, other) {
  return one.is === other.is && one.turn === other.turn && accountName(one) === accountName(other);
}

function createEvent() {
  const [time, text] = [element('time'), element('span')];
  const root = element('li', {}, time, ' ', text);
  return {
    root,
    update: (event) => {
      const { notice } = event;
      setText(time, clock(notice.at));
      setText(text, sayEvent(notice, isRepeat(event)));
    },
  };
}
