/** What stands above every view: the connection, what waits, and in the tab whether something is wrong. */
import { setAttribute, setText } from './dom.js';
import { clock, count, ticking } from './format.js';
import { failedCount, model } from './model.js';
import { troublesOf } from './troubles.js';
import { word } from './words.js';

const find = (id) => document.getElementById(id);

/** The link over everything else leads to the view that shows; the address names the view already. */
export function listenToSkip() {
  find('skip').addEventListener('click', (event) => {
    event.preventDefault();
    document.querySelector('main > section:not([hidden]) h2')?.focus();
  });
}

/** @param name of the view */
export function drawHead(name) {
  drawLine();
  markLink(name);
  setText(find('open-count'), model.overview === null ? '' : count(model.open));
  setText(find('failed-count'), failedCount() === 0 ? '' : count(failedCount()));
  const grave = model.overview === null ? [] : troublesOf(model.overview).filter((one) => one.grave);
  const mark = grave.length > 0 || model.cutSince !== null ? '⚠ ' : '';
  const title = `${mark}${word(name)} · keeptyping ${word('title')}`;
  if (document.title !== title) document.title = title;
}

function drawLine() {
  const { cutSince, overview } = model;
  const isLive = cutSince === null && overview !== null;
  setAttribute(find('line'), 'data-tone', isLive ? 'good' : cutSince === null ? 'warn' : 'bad');
  const wait = { time: clock(cutSince ?? 0), wait: ticking(Date.now() - (cutSince ?? 0)) };
  const said = isLive ? word('live') : cutSince === null ? word('connecting') : word('cut', wait);
  setText(find('line').querySelector('span'), said);
}

function markLink(name) {
  for (const link of document.querySelectorAll('[data-view]')) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}
