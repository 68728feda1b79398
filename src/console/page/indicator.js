/** What the phone shows as far as is known, or why it shows nothing. */
import { createMark } from './cells.js';
import { element, setShown, setText } from './dom.js';
import { clock } from './format.js';
import { pausedTo } from './pause.js';
import { named, sentence, word } from './words.js';

const tones = { lit: 'good', maybe: 'warn', dark: 'off' };

export function createIndicator(cell) {
  const mark = createMark(cell);
  const why = element('small');
  cell.append(' ', why);
  return (row) => {
    const { is } = row.indicator;
    mark(tones[is] ?? 'off', named('indicator', is));
    const said = whyOf(row);
    setText(why, said);
    setShown(said !== '', why);
  };
}

function until(at) {
  return at === null ? [] : [word('until', { time: clock(at) })];
}

function whyOf({ indicator, dark, pausedUntil }) {
  if (indicator.is === 'lit') return until(indicator.until).join('');
  if (indicator.is === 'maybe') return [word('maybeWhy'), ...until(indicator.until)].join(' · ');
  if (dark === null) return pausedUntil === null ? '' : pausedTo(pausedUntil);
  return [
    named('reason', dark.reason),
    ...(pausedUntil === null ? until(dark.until) : [pausedTo(pausedUntil)]),
    ...(dark.code === null ? [] : [word('withCode', dark)]),
    ...(dark.remedy === null ? [] : [sentence(dark.remedy)]),
  ].join(' · ');
}
