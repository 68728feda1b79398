/** The one place that a screen reader reads out by itself: only what matters. */
import { element } from './dom.js';
import { sentence, word } from './words.js';

const shownMs = 12_000;
const most = 3;

export function say(sentence) {
  const place = document.getElementById('said');
  // Said anew, it stands there once.
  for (const before of place.children) if (before.textContent === sentence) before.remove();
  const line = element('p', {}, sentence);
  place.append(line);
  while (place.children.length > most) place.firstElementChild.remove();
  setTimeout(() => line.remove(), shownMs);
}

/** Why a request was refused, in a sentence. */
export function errorOf({ status, body }) {
  if (status === 0) return word('noAnswer');
  if (status === 401) return word('sessionOver');
  return typeof body?.error === 'string' ? sentence(body.error) : word('refusedBy', { status });
}
