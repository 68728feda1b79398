/** The one place that a screen reader reads out by itself: only what matters. */
import { setText } from './dom.js';
import { word } from './words.js';

const shownMs = 12_000;
let timer = 0;

export function say(sentence) {
  const place = document.getElementById('said');
  clearTimeout(timer);
  setText(place, sentence);
  timer = setTimeout(() => setText(place, ''), shownMs);
}

/** Why a request was refused, in a sentence. */
export function errorOf({ status, body }) {
  if (status === 0) return word('noAnswer');
  if (status === 401) return word('sessionOver');
  return typeof body?.error === 'string' ? body.error : word('refusedBy', { status });
}
