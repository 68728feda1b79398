/** The page: which of its views shows, and when it is drawn. */
import { createConversations } from './conversations.js';
import { listenToDialog } from './dialog.js';
import { setShown } from './dom.js';
import { createFailed } from './failed.js';
import { clock } from './format.js';
import { drawHead, listenToSkip } from './head.js';
import { hasLogin, isLink, listenToLogin, logInByLink, refuse, sayWrongAgain } from './login.js';
import * as knowledge from './model.js';
import { createOverview } from './overview.js';
import { say } from './said.js';
import { createSearch } from './search.js';
import { ask, connect } from './server.js';
import { newsOf } from './troubles.js';
import { chooseLanguage, preferredLanguage, speak, word } from './words.js';

const { model } = knowledge;
const find = (id) => document.getElementById(id);

await speak(preferredLanguage());
const conversations = createConversations();
const search = createSearch();
const views = {
  overview: createOverview(),
  conversations: conversations.draw,
  search: search.draw,
  failed: createFailed(),
};
let disconnect = null;
let failedKnown = 0;
let isDue = false;
listenToDialog();
listenToSkip();
listenToLogin(() => void enter({ focus: true }));
find('logout').addEventListener('click', () => void logout());
for (const button of document.querySelectorAll('[data-language]'))
  button.addEventListener('click', () => void sayIn(button.dataset.language));
document.addEventListener('toggle', drawSoon, { capture: true });
window.addEventListener('hashchange', () => {
  // A question belongs to the view in which it was asked.
  find('dialog').close();
  if (isLink()) void enterByLink();
  else goTo({ focus: true });
});
new ResizeObserver(drawSoon).observe(find('main'));
setInterval(drawSoon, 1_000);
await (isLink() ? enterByLink() : enter({ focus: false }));

async function sayIn(language) {
  await chooseLanguage(language);
  sayWrongAgain();
  drawSoon();
}

/** Somebody is logged in, or is asked to. */
async function enter({ focus }) {
  if ((await knowledge.readFailed()) === 401) return leave();
  failedKnown = model.failed.length;
  disconnect?.();
  disconnect = connect(
    {
      overview: hearOverview,
      conversations: hear(knowledge.takeConversations),
      notices: hear(knowledge.takeEvents),
    },
    { begin, cut, over: () => leave('sessionOver') },
  );
  setShown(true, find('sections'), find('line'));
  void hasLogin().then((has) => setShown(has && disconnect !== null, find('logout')));
  setShown(false, find('view-login'));
  goTo({ focus });
}

/** Whoever is logged in already stays so, whatever the link is worth. */
async function enterByLink() {
  const wrong = await logInByLink();
  await enter({ focus: false });
  if (wrong !== null && disconnect === null) refuse(wrong);
}

function leave(reason) {
  disconnect?.();
  disconnect = null;
  knowledge.forget();
  search.forget();
  // Nothing of it stays in the page.
  for (const draw of Object.values(views)) draw();
  for (const name of Object.keys(views)) setShown(false, find(`view-${name}`));
  setShown(false, find('sections'), find('logout'), find('line'));
  setShown(true, find('view-login'));
  document.title = `keeptyping ${word('title')}`;
  find('dialog').close();
  find('token').focus();
  if (reason) refuse(() => word(reason));
}

async function logout() {
  await ask('DELETE', 'session', {});
  leave();
}

function begin() {
  if (model.cutSince !== null) void knowledge.readFailed().then(() => say(word('backNews')));
  Object.assign(model, { cutSince: null, fresh: true });
  drawSoon();
}

function cut() {
  if (model.cutSince !== null) return;
  model.cutSince = Date.now();
  say(word('cutNews', { time: clock(model.cutSince) }));
  drawSoon();
}

function hear(take) {
  return (data) => (take(data), drawSoon());
}

function hearOverview(overview) {
  const news = newsOf(model.overview, overview);
  knowledge.takeOverview(overview);
  for (const sentence of news) say(sentence);
  if (knowledge.failedCount() !== failedKnown) void knowledge.readFailed().then(drawSoon);
  failedKnown = knowledge.failedCount();
  drawSoon();
}

/** Which view, and what in it, stands in the address. */
function addressed() {
  const [name, rest = ''] = location.hash.slice(1).split('?');
  return { name: Object.hasOwn(views, name) ? name : 'overview', asked: new URLSearchParams(rest) };
}

function goTo({ focus }) {
  if (disconnect === null) return;
  const { name, asked } = addressed();
  for (const one of Object.keys(views)) setShown(one === name, find(`view-${one}`));
  if (name === 'search') search.go(asked);
  if (asked.has('account')) conversations.choose(asked.get('account'));
  if (focus) find(`${name}-name`).focus();
  draw();
}

/** However much is told at once, it is drawn once; unseen, not at all. */
function drawSoon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
  });
}

function draw() {
  if (disconnect === null) return;
  const { name } = addressed();
  drawHead(name);
  views[name]();
}
