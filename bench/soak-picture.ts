/** The picture of a soak: a panel for each kind of thing, with what was sampled and the line through it. */
import type { Lag, Line, Measured, Sample } from './soak-lines.ts';

interface Series {
  what: Measured | Lag;
  label: string;
}

interface Panel {
  title: string;
  unit: string;
  /** What one of the unit is, of what was sampled. */
  one: number;
  series: readonly Series[];
}

const panels: readonly Panel[] = [
  {
    title: 'resident memory',
    unit: 'MB',
    one: 1e6,
    series: [
      { what: 'webRss', label: 'web' },
      { what: 'workerRss', label: 'worker' },
    ],
  },
  {
    title: 'heap in use',
    unit: 'MB',
    one: 1e6,
    series: [
      { what: 'webHeap', label: 'web' },
      { what: 'workerHeap', label: 'worker' },
    ],
  },
  { title: 'Redis: memory', unit: 'MB', one: 1e6, series: [{ what: 'redis', label: 'memory' }] },
  { title: 'Redis: keys', unit: 'thousand', one: 1e3, series: [{ what: 'keys', label: 'keys' }] },
  {
    title: 'event loop lag, p99 of 5 s',
    unit: 'ms',
    one: 1,
    series: [
      { what: 'webLag', label: 'web' },
      { what: 'workerLag', label: 'worker' },
    ],
  },
];

const width = 760;
const plot = { left: 60, right: 90, height: 90, above: 28, below: 26 } as const;
const step = plot.above + plot.height + plot.below;
const top = 30;

/** Readable on white and on black: https://www.w3.org/TR/mediaqueries-5/#prefers-color-scheme */
const style = `
text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;fill:#24292f}
.grid{stroke:#8c959f;stroke-opacity:.35}.s0,.s1{fill:none;stroke-width:1}
.s0{stroke:#0969da}.s1{stroke:#bc4c00}.l0,.l1{stroke-width:2;stroke-dasharray:6 3}
.l0{stroke:#0550ae}.l1{stroke:#953800}.t0{fill:#0969da}.t1{fill:#bc4c00}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}
.s0{stroke:#4493f8}.s1{stroke:#db6d28}.l0{stroke:#a5d6ff}.l1{stroke:#ffc680}.t0{fill:#4493f8}.t1{fill:#db6d28}}`;

export function picture(
  samples: readonly Sample[],
  lines: Readonly<Record<Measured, Line>>,
  { title }: { title: string },
): string {
  const seconds = samples.at(-1)?.s ?? 1;
  const height = top + panels.length * step + 6;
  const x = (s: number): number => plot.left + (s / seconds) * (width - plot.left - plot.right);
  const drawn = panels.map((panel, n) => panelOf(panel, { samples, lines, x, y0: top + n * step }));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}: what was sampled, and the line through it">
<style>${style}</style>
<text class="title" x="${plot.left}" y="18">${title}</text>
${drawn.join('\n')}
</svg>
`;
}

interface Drawing {
  samples: readonly Sample[];
  lines: Readonly<Record<Measured, Line>>;
  x: (s: number) => number;
  /** Where the panel begins. */
  y0: number;
}

function panelOf({ title, unit, one, series }: Panel, { samples, lines, x, y0 }: Drawing): string {
  const most = niceAbove(Math.max(...series.flatMap(({ what }) => samples.map((each) => each[what] / one))));
  const [above, below] = [y0 + plot.above, y0 + plot.above + plot.height];
  const y = (value: number): number => below - (value / one / most) * plot.height;
  const point = (s: number, value: number): string => `${x(s).toFixed(1)},${y(value).toFixed(1)}`;
  const right = width - plot.right;
  const grid = [0, 0.5, 1].map((share) => {
    const at = below - share * plot.height;
    return `<path class="grid" d="M${plot.left} ${at}H${right}"/><text x="${plot.left - 6}" y="${at + 4}" text-anchor="end">${share * most}</text>`;
  });
  const minutes = (samples.at(-1)?.s ?? 0) / 60;
  const every = minutes > 12 ? 5 : 1;
  const times = Array.from({ length: Math.floor(minutes / every + 0.01) + 1 }, (_, n) => n * every).map(
    (minute) =>
      `<text x="${x(minute * 60).toFixed(1)}" y="${below + 15}" text-anchor="middle">${minute} min</text>`,
  );
  const curves = series.map(({ what, label }, n) => {
    const line = what in lines ? lines[what as Measured] : null;
    const path = samples.map((each) => point(each.s, each[what])).join(' ');
    // Two that are close to each other are still to be read.
    const at = above + 12 + n * 16;
    const through = line
      ? `<path class="l${n}" d="M${point(line.from.s, line.from.at)}L${point(line.to.s, line.to.at)}"/>`
      : '';
    return `<polyline class="s${n}" points="${path}"/>${through}<text class="t${n}" x="${right + 8}" y="${at}">${label}</text>`;
  });
  return [
    `<text class="title" x="${plot.left}" y="${above - 8}">${title} (${unit})</text>`,
    ...grid,
    ...times,
    ...curves,
  ].join('\n');
}

/** 1, 2, 4 or 6 of a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  const found = [1, 2, 4, 6, 10].find((each) => each * power >= value) ?? 10;
  return found * power;
}
