/** The wait as a picture: three ways over one axis of seconds. */
import { endOf, ghostOf, litOf, longestDark, marksOf, now, ways } from './model.js';
import { svg } from './svg.js';
import { word } from './words.js';

const lane = { height: 47, bar: 18, thick: 14, calls: 43 };
const axis = 22;
/** Below this width the words of a lane take two lines, the second of this height (pixels). */
const narrow = { width: 500, line: 16 };
/** Pixels kept free on both sides, for what stands at the very ends. */
const margin = 6;

/** Draws one channel's wait into an element. */
export function draw(model, channel, into) {
  const from = model.from[channel];
  if (from === null) return void (into.textContent = word('empty'));
  const width = Math.max(into.clientWidth, 240);
  const ends = ways.map((way) => lastOf(model, channel, way) - from);
  const scale = createScale(from, Math.max((model.expected[channel] - from) * 1.05, ...ends), width);
  const step = lane.height + (isNarrow(scale) ? narrow.line : 0);
  const height = ways.length * step + axis;
  const summaries = ways.map((way) => summaryOf(model, channel, way));
  const label = ways.map((way, index) => word('picture', { way: word(way), state: summaries[index] }));
  const picture = svg(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label.join('; ') },
    ...troubleBands(model, scale, height - axis),
    ...ways.map((way, index) =>
      drawLane(model, { channel, way, scale, y: index * step, summary: summaries[index] }),
    ),
    ...drawAxis(scale, height - axis),
  );
  into.replaceChildren(picture);
}

/** Where one way's lane ends so far: with the wait, or with an indicator after it. */
function lastOf(model, channel, way) {
  const { to } = endOf(model, channel, way);
  const spans = litOf(marksOf(model, channel, way), { from: model.from[channel], at: now(model) });
  return Math.max(to, ...spans.map((span) => span.to));
}

function isNarrow({ width }) {
  return width < narrow.width;
}

function createScale(from, span, width) {
  const x = (at) => margin + (Math.min(Math.max(at - from, 0), span) / span) * (width - 2 * margin);
  return { from, span, width, x };
}

function drawLane(model, { channel, way, scale, y, summary }) {
  const marks = marksOf(model, channel, way);
  const { to } = endOf(model, channel, way);
  const spans = litOf(marks, { from: scale.from, at: now(model) });
  const state = isNarrow(scale)
    ? { x: margin, y: 14, class: 'state' }
    : { x: scale.width - margin, y: 14, class: 'state', 'text-anchor': 'end' };
  const name = svg(
    'text',
    { x: margin, y: isNarrow(scale) ? 14 - narrow.line : 14, class: 'name' },
    word(way),
  );
  return svg(
    'g',
    { transform: `translate(0 ${isNarrow(scale) ? y + narrow.line : y})`, class: `lane ${way}` },
    name,
    svg('text', state, summary),
    bar(scale, 'wait', { from: scale.from, to }),
    ...spans.map((span) => bar(scale, 'lit', { from: span.from, to: Math.min(span.to, to) })),
    ...spans
      .filter((span) => span.to > to)
      .map((span) => bar(scale, 'ghost', { from: Math.max(span.from, to), to: span.to })),
    ...marks.flatMap((mark) => drawMark(scale, mark)),
  );
}

function bar(scale, kind, { from, to }) {
  const x = scale.x(from);
  return svg('rect', {
    class: kind,
    x,
    y: lane.bar,
    width: Math.max(scale.x(to) - x, 0),
    height: lane.thick,
  });
}

function drawMark(scale, { what, at }) {
  const x = scale.x(at);
  const y = lane.calls;
  switch (what) {
    case 'call':
      return [svg('path', { class: 'call', d: `M${x} ${y - 8}v8` })];
    case 'refused':
    case 'wasted':
      return [svg('path', { class: 'refused', d: `M${x - 3} ${y - 7}l6 6m0 -6l-6 6` })];
    case 'received':
      return [svg('path', { class: 'answer', d: `M${x} ${lane.bar - 2}l6 9l-6 9l-6 -9z` })];
    case 'sent':
      return [svg('path', { class: 'sent', d: `M${x - 5} ${lane.bar}l8 7l-8 7z` })];
    case 'notice':
      return [svg('text', { class: 'notice', x, y: lane.bar + 12 }, '!')];
    default:
      return [];
  }
}

function troubleBands(model, scale, height) {
  const end = scale.from + scale.span;
  return model.troubles
    .filter(({ from, to }) => from < end && (to ?? Infinity) >= scale.from)
    .map(({ from, to }) => {
      const x = scale.x(from);
      return svg('rect', {
        class: 'trouble',
        x,
        y: 0,
        width: Math.max(scale.x(to ?? now(model)) - x, 2),
        height,
      });
    });
}

function drawAxis(scale, y) {
  const seconds = scale.span / 1000;
  const step = [1, 2, 5, 10, 20, 60].find((one) => (seconds / one) * 44 < scale.width) ?? 120;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  return ticks.map((tick) => {
    const x = scale.x(scale.from + tick * 1000);
    const anchor = tick === 0 ? 'start' : x > scale.width - 24 ? 'end' : 'middle';
    return svg('text', { class: 'axis', x, y: y + 15, 'text-anchor': anchor }, word('seconds', { n: tick }));
  });
}

/** What the user on the phone has of it. */
export function summaryOf(model, channel, way) {
  const { cover } = model.lanes[channel][way];
  const from = model.from[channel];
  if (cover === null || from === null) return '';
  const wait = inSeconds(cover.to - from);
  // Rounded down: what is not whole is not called whole.
  const share = `${Math.floor(cover.cover * 100)} %`;
  const covered = word('covered', { share, wait });
  if (cover.lost) return `${word('lost')}; ${covered}`;
  if (!cover.answered || cover.cover === 0) return covered;
  const spans = litOf(marksOf(model, channel, way), { from, at: now(model) });
  const ghost = ghostOf(spans, cover.to);
  if (ghost > 0) return `${covered}${word('ghost', { ghost: inSeconds(ghost) })}`;
  return `${covered}${word('longestDark', { dark: inSeconds(longestDark(spans, from, cover.to)) })}`;
}

function inSeconds(ms) {
  return word('seconds', { n: (ms / 1000).toFixed(1) });
}
