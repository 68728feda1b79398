/** What happened to one user or message: as waits, newest first, and how the conversation stands now. */
import { keyed, setShown, setText } from './dom.js';
import { findEvents } from './find.js';
import { count, timeZone } from './format.js';
import { createPresent, readPresent } from './present.js';
import { errorOf } from './said.js';
import { createTurn } from './timeline.js';
import { turnsOf } from './turns.js';
import { word } from './words.js';

const find = (id) => document.getElementById(id);
/** Further conversations are told by their events alone. */
const presentShown = 3;
const presentMs = 3_000;

export function createSearch() {
  const state = { asked: null, entries: [], before: null, said: () => '', present: [], run: 0, readAt: 0 };
  find('search').addEventListener('submit', (event) => {
    event.preventDefault();
    const wished = `#search?${new URLSearchParams(fieldsOf())}`;
    if (location.hash === wished) void run(state, fieldsOf());
    else location.hash = wished;
  });
  find('older').addEventListener('click', () => void older(state));
  return {
    draw: () => draw(state),
    /** Searches for what the address says. */
    go: (asked) => {
      const fields = { q: asked.get('q') ?? '', from: asked.get('from') ?? '', to: asked.get('to') ?? '' };
      find('query').value = fields.q;
      find('search-from').value = fields.from;
      find('search-to').value = fields.to;
      if (fields.q !== '') void run(state, fields);
    },
    forget: () => Object.assign(state, { entries: [], before: null, said: () => '', present: [] }),
  };
}

function fieldsOf() {
  const fields = {
    q: find('query').value.trim(),
    from: find('search-from').value,
    to: find('search-to').value,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}

async function run(state, asked) {
  Object.assign(state, { asked, entries: [], before: null, present: [], said: () => word('searching') });
  await read(state);
  if (state.entries.length > 0) void refresh(state);
}

async function older(state) {
  const known = state.entries.length;
  await read(state);
  if (state.before === null && state.entries.length > known)
    find('search-name').focus({ preventScroll: true });
}

async function read(state) {
  const run = (state.run += 1);
  draw(state);
  const answer = await findEvents(state.asked, state.before);
  // Meanwhile something else is searched for.
  if (run !== state.run) return;
  if (answer.ok) {
    state.entries = [...state.entries, ...answer.body.entries];
    state.before = answer.body.before;
    state.said = () => saidOf(state);
  } else state.said = () => errorOf(answer);
  draw(state);
}

function saidOf({ entries, before }) {
  const turns = turnsOf(entries).filter(({ turn }) => turn !== null);
  if (entries.length === 0) return word(before === null ? 'foundNone' : 'foundNoneYet');
  return word('found', { n: count(entries.length), turns: count(turns.length) });
}

function draw(state) {
  setText(find('zone'), word('zone', { zone: timeZone() }));
  setText(find('search-said'), state.said());
  const turns = turnsOf(state.entries);
  keyed(find('found'), turns, { key: ({ key }) => key, create: createTurn });
  keyed(find('present'), state.present, {
    key: ({ id }) => id,
    create: () => createPresent(() => void refresh(state)),
  });
  setShown(state.before !== null, find('older'));
  setShown(
    turns.some(({ turn }) => turn !== null),
    find('legend'),
  );
  if (state.present.length > 0 && Date.now() - state.readAt > presentMs) void refresh(state);
}

async function refresh(state) {
  state.readAt = Date.now();
  const { run } = state;
  const present = await readPresent(conversationsIn(state.entries).slice(0, presentShown));
  if (run !== state.run) return;
  state.present = present;
  draw(state);
}

function conversationsIn(entries) {
  const found = new Map();
  for (const { notice } of entries) {
    const { channel, account, user } = notice;
    if (typeof user === 'string') found.set(`${channel}/${account}/${user}`, { channel, account, user });
  }
  return [...found.values()];
}
