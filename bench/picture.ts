/** Lines over a logarithmic axis as SVG, readable on light and on dark pages. */

export interface Panel {
  title: string;
  lines: { name: string; points: readonly (readonly [number, number])[] }[];
}

const panel = { width: 420, height: 230 } as const;
const margin = { left: 52, right: 80, top: 36, bottom: 34 } as const;
const colours = ['#1a7f37', '#0969da'];

/** Two panels a line. */
export function picture(title: string, panels: readonly Panel[]): string {
  const [width, height] = [2 * panel.width, Math.ceil(panels.length / 2) * panel.height];
  const drawn = panels.map((each, index) => {
    const [x, y] = [(index % 2) * panel.width, Math.floor(index / 2) * panel.height];
    return `<g transform="translate(${x} ${y})">\n${panelOf(each)}\n</g>`;
  });
  const style =
    'text{font:12px system-ui,sans-serif;fill:#57606a}.t{font-weight:600}.g{stroke:#8c959f;stroke-opacity:.35}polyline{fill:none;stroke-width:2}';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<title>${title}</title>
<style>${style}</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${drawn.join('\n')}
</svg>
`;
}

function panelOf({ title, lines }: Panel): string {
  const points = lines.flatMap((line) => line.points);
  const [least, most] = [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))];
  const top = roundUp(Math.max(...points.map(([, y]) => y)));
  const [right, bottom] = [panel.width - margin.right, panel.height - margin.bottom];
  const xOf = (x: number): number =>
    margin.left + ((right - margin.left) * Math.log(x / least)) / Math.log(most / least);
  const yOf = (y: number): number => bottom - ((bottom - margin.top) * y) / top;
  const decades = points.map(([x]) => x).filter((x) => Number.isInteger(Math.log10(x)));
  const ticks = [...new Set(decades)].map((x) => {
    const at = xOf(x).toFixed(1);
    return `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${x.toLocaleString('en')}</text>`;
  });
  const rules = [0, 0.5, 1].map((share) => {
    const at = yOf(top * share).toFixed(1);
    return `<line class="g" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${margin.left - 6}" y="${Number(at) + 4}" text-anchor="end">${top * share}</text>`;
  });
  const drawn = lines.map((line, index) => {
    const colour = colours[index % colours.length];
    const path = line.points.map(([x, y]) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(' ');
    const end = yOf(line.points.at(-1)?.[1] ?? 0) + 4;
    return `<polyline points="${path}" stroke="${colour}"/><text x="${right + 6}" y="${end.toFixed(1)}" style="fill:${colour}">${line.name}</text>`;
  });
  const head = `<text class="t" x="${margin.left - 40}" y="20">${title}</text>`;
  return [head, ...rules, ...ticks, ...drawn].join('\n');
}

/** 1, 2, 3, 4, 6 or 8 and noughts. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 3, 4, 6, 8, 10].find((each) => each * power >= value) ?? 10;
  return digit * power;
}
