/** A distribution as bars, and as a table for whoever cannot see them. */
import { element, saying, setShown } from './dom.js';
import { count } from './format.js';
import { svg } from './svg.js';
import { createTable } from './table.js';
import { locale, word } from './words.js';

const height = 150;
const foot = 20;
const head = 18;
/** A label below an axis needs so much (pixels). */
const labelWidth = 44;

/**
 * @param label the name of the words for the whole picture
 * @param bound what a bound is called
 * @returns draws a distribution
 */
export function createPlot(into, { label, bound }) {
  const picture = element('div', { class: 'plot' });
  const empty = saying('p', 'plotEmpty', { class: 'fine' });
  const table = element('div', {
    class: 'table compact distribution',
    role: 'table',
    'data-word-label': 'asTable',
  });
  table.setAttribute('aria-label', word('asTable'));
  const details = element('details', {}, saying('summary', 'asTable'), table);
  into.append(picture, empty, details);
  const drawTable = createTable(table, {
    key: ({ index }) => index,
    columns: [
      { head: 'range', text: ({ range }) => range },
      { head: 'count', kind: 'number', text: (bin) => count(bin.count) },
    ],
  });
  let drawn = '';
  return (distribution) => {
    const bins = binsOf(distribution, bound);
    const total = bins.reduce((sum, bin) => sum + bin.count, 0);
    setShown(total > 0, picture, details);
    setShown(total === 0, empty);
    if (details.open) drawTable(bins);
    const width = Math.max(picture.clientWidth, 200);
    const asked = JSON.stringify([distribution, width, locale()]);
    if (asked === drawn || total === 0) return;
    drawn = asked;
    picture.replaceChildren(pictureOf(bins, { width, label, total }));
  };
}

function binsOf({ bounds, counts }, bound) {
  return counts.map((count, index) => {
    const [from, to] = [bounds[index - 1], bounds[index]];
    const range =
      to === undefined
        ? word('beyond', { from: bound(from) })
        : from === undefined
          ? word('upTo', { to: bound(to) })
          : word('between', { from: bound(from), to: bound(to) });
    return {
      index,
      count,
      range,
      short: to === undefined ? '' : bound(to),
      isOpen: to === undefined,
    };
  });
}

function pictureOf(bins, { width, label, total }) {
  const step = width / bins.length;
  const most = Math.max(...bins.map((bin) => bin.count));
  const largest = bins.find((bin) => bin.count === most);
  const said = word('most', { n: count(most), range: largest.range });
  const every = Math.ceil(labelWidth / step);
  const name = word(label, { n: count(total), most: said });
  return svg(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': name },
    svg('path', { class: 'floor', d: `M0 ${height - foot + 0.5}H${width}` }),
    ...bins.flatMap((bin, index) => [
      ...barOf(bin, { step, left: index * step, share: bin.count / most }),
      // The last bound always stands; beyond it there is none.
      ...(bin.isOpen || (bins.length - 2 - index) % every > 0 ? [] : [boundOf(bin, (index + 1) * step)]),
    ]),
  );
}

function barOf(bin, { step, left, share }) {
  if (bin.count === 0) return [];
  const floor = height - foot;
  const tall = Math.max(2, share * (floor - head));
  const y = floor - tall;
  const bar = svg('rect', { class: 'bar', x: left + 1, y, width: step - 2, height: tall, rx: 2 });
  return [bar, ...(step > 24 ? [svg('text', { x: left + step / 2, y: y - 4 }, count(bin.count))] : [])];
}

/** A bound is written where it lies: between two bars. */
function boundOf({ short }, x) {
  return svg('text', { class: 'axis', x, y: height - 6 }, short);
}
