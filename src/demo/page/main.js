/** The page: two phones, the slider, the switches and the two pictures, all moved by what the server tells. */
import { drawList } from './list.js';
import {
  addCover,
  addMark,
  addTrouble,
  beginTurn,
  channels,
  clearChannel,
  createModel,
  isMoving,
} from './model.js';
import { clearPhone, createPhone, showIndicator, showMark } from './phone.js';
import { connect } from './server.js';
import { draw } from './timeline.js';
import { browserLanguage, speak, word } from './words.js';

const redrawMs = 200;
/** What the phones ask by themselves, and how long the bot thinks about it (ms). */
const played = {
  wechat: { text: 'playedWechat', thinkMs: 20_000 },
  nxcloud: { text: 'playedWhatsapp', thinkMs: 10_000 },
};
const find = (selector) => document.querySelector(selector);
const slider = find('#think');

let model = createModel();
let wrong = 'waiting';
let noticed = null;

speak(browserLanguage());
const phones = new Map(
  [...document.querySelectorAll('.phone')].map((section) => [
    section.dataset.channel,
    createPhone(section, write),
  ]),
);
const server = connect({ begin, turn, mark, cover, trouble, afresh }, (problem) => alertOf(problem));
showThinking();
redraw();

slider.addEventListener('input', showThinking);
for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => changeLanguage(button.dataset.language));
}
for (const button of document.querySelectorAll('[data-trouble]')) {
  button.addEventListener('click', () => void breakSomething(button.dataset.trouble));
}
setInterval(() => redraw(({ channel }) => isMoving(model, channel)), redrawMs);
for (const details of document.querySelectorAll('.timeline details')) {
  details.addEventListener('toggle', () => redraw());
}
new ResizeObserver(() => redraw()).observe(find('.sides'));
// Where nobody may open the console, nothing leads there.
void fetch('/console/api/session').then(
  ({ ok }) => (find('#console').hidden = !ok),
  () => {},
);

/** How things stand, at the start and after a cut connection. */
function begin({ now, turns, marks }) {
  model = { ...createModel(), offset: now - Date.now() };
  for (const button of document.querySelectorAll('[data-trouble]'))
    button.setAttribute('aria-pressed', 'false');
  for (const phone of phones.values()) clearPhone(phone);
  for (const one of marks) mark(one);
  for (const one of turns) turn(one);
  if (turns.length === 0) playOnceSeen();
}

/** Whoever wants no motion, or has the page in the background, sees nothing play by itself. */
function playOnceSeen() {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  if (!document.hidden) return void play();
  document.addEventListener('visibilitychange', playOnceSeen, { once: true });
}

/** Both phones ask by themselves; where the visitor has written meanwhile, none does. */
async function play() {
  for (const channel of channels) {
    const { text, thinkMs } = played[channel];
    if (model.from[channel] === null)
      await server.write({ channel, text: word(text), thinkMs, played: true });
  }
}

/** The visitor's own message takes the phone over from the play. */
function afresh({ channel }) {
  clearChannel(model, channel);
  clearPhone(phones.get(channel));
}

function turn(started) {
  beginTurn(model, started);
  redraw();
}

function mark(one) {
  addMark(model, one);
  if (one.way === 'keeptyping') showMark(phones.get(one.channel), one);
  redraw(({ channel }) => channel === one.channel);
}

function cover(told) {
  addCover(model, told);
  redraw(({ channel }) => channel === told.channel);
}

function trouble(told) {
  addTrouble(model, told);
  find(`[data-trouble="${told.trouble}"]`).setAttribute('aria-pressed', String(told.on));
  noticed = told;
  showNoticed();
  redraw();
}

async function write(channel, text, sent) {
  const problem = await server.write({ channel, text, thinkMs: Number(slider.value) * 1000 });
  alertOf(problem);
  if (problem === null) sent();
}

async function breakSomething(trouble) {
  alertOf(await server.trouble(trouble));
}

function redraw(wanted = () => true) {
  for (const section of document.querySelectorAll('.timeline')) {
    const { channel } = section.dataset;
    if (!channels.includes(channel) || !wanted({ channel })) continue;
    const into = section.querySelector('[data-part="picture"]');
    draw(model, channel, into);
    if (section.querySelector('details').open)
      drawList(model, channel, section.querySelector('[data-part="list"]'));
  }
}

function showThinking() {
  const shown = word('seconds', { n: slider.value });
  find('#think-value').textContent = shown;
  slider.setAttribute('aria-valuetext', shown);
}

function showNoticed() {
  if (noticed === null) return;
  const said = word(`${noticed.trouble}Noticed`);
  find('#noticed').textContent = noticed.on ? said : `${said} ${word('mended')}`;
}

function alertOf(problem) {
  wrong = problem;
  const alert = find('#alert');
  alert.hidden = problem === null;
  alert.textContent = problem === null ? '' : word(problem);
}

function changeLanguage(language) {
  speak(language);
  showThinking();
  showNoticed();
  alertOf(wrong === 'waiting' ? null : wrong);
  for (const phone of phones.values()) showIndicator(phone);
  redraw();
}
