/** The page: two phones, the slider, the switches and the two pictures, all moved by what the server tells. */
import { drawList } from './list.js';
import { addCover, addMark, addTrouble, beginTurn, channels, createModel, isWaiting } from './model.js';
import { clearPhone, createPhone, showIndicator, showMark } from './phone.js';
import { connect } from './server.js';
import { draw } from './timeline.js';
import { browserLanguage, speak, word } from './words.js';

const redrawMs = 200;
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
const server = connect({ begin, turn, mark, cover, trouble }, (problem) => alertOf(problem));
showThinking();
redraw();

slider.addEventListener('input', showThinking);
for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => changeLanguage(button.dataset.language));
}
for (const button of document.querySelectorAll('[data-trouble]')) {
  button.addEventListener('click', () => void breakSomething(button.dataset.trouble));
}
setInterval(() => redraw(({ channel }) => isWaiting(model, channel)), redrawMs);
for (const details of document.querySelectorAll('.timeline details')) {
  details.addEventListener('toggle', () => redraw());
}
new ResizeObserver(() => redraw()).observe(find('.timelines'));

/** How things stand, at the start and after a cut connection. */
function begin({ now, turns, marks }) {
  model = { ...createModel(), offset: now - Date.now() };
  for (const button of document.querySelectorAll('[data-trouble]'))
    button.setAttribute('aria-pressed', 'false');
  for (const phone of phones.values()) clearPhone(phone);
  for (const one of marks) mark(one);
  for (const one of turns) turn(one);
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
    draw(model, channel, { into, expected: Number(slider.value) * 1000 });
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
