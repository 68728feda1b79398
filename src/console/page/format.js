/** Times, lengths of time and shares, as the reader's language writes them. Lengths: ms. */
import { locale, word } from './words.js';

const formats = new Map();

/** Time of day; with the day when that is another than today's. */
export function clock(at) {
  const day =
    new Date(at).toDateString() === new Date().toDateString() ? {} : { month: 'short', day: 'numeric' };
  return formatted(at, { ...day, hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
}

/** A pause can last for days. */
export function date(at) {
  return formatted(at, { year: 'numeric', month: 'short', day: 'numeric' });
}

function formatted(at, options) {
  const name = `${locale()} ${JSON.stringify(options)}`;
  const format = formats.get(name) ?? new Intl.DateTimeFormat(locale(), options);
  formats.set(name, format);
  return format.format(at);
}

export function timeZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Tenths below 10 s, whole seconds below a minute and a half. */
export function length(ms) {
  if (ms < 1_000) return word('s.ms', { n: Math.max(0, Math.round(ms)) });
  return lengthOf(ms / 1_000, ms < 9_950 ? 1 : 0);
}

/** Of a timeline: hundredths of a second. */
export function precise(ms) {
  return word('s.s', { n: (ms / 1_000).toFixed(2) });
}

/** What ticks: whole seconds. */
export function ticking(ms) {
  return lengthOf(Math.max(0, Math.floor(ms / 1_000)), 0);
}

function lengthOf(seconds, digits) {
  if (seconds < 90) return word('s.s', { n: seconds.toFixed(digits) });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 90) return word('s.min', { m: minutes, n: pad(seconds % 60) });
  return word('s.h', { h: Math.floor(minutes / 60), m: pad(minutes % 60) });
}

/** Rounded down: what is not whole is not called whole. */
export function percent(share) {
  return word('percent', { n: Math.floor(share * 100 + 1e-9) });
}

export function count(n) {
  return n.toLocaleString(locale());
}

function pad(n) {
  return String(Math.floor(n)).padStart(2, '0');
}
