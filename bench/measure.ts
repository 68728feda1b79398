/** Small arithmetic of the bench. */

export interface Row {
  what: string;
  measured: string;
  floor: string;
  met: boolean | null;
}

/** The p-quantile (0 to 1) of the values; NaN of none. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

export function latencies(values: readonly number[]): { p50: number; p99: number; max: number } {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: Math.max(...values) };
}

export function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

export function wait(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

/** The bench as a Markdown table. */
export function table(rows: readonly Row[]): string {
  const line = ({ what, measured, floor, met }: Row): string =>
    `| ${what} | ${measured} | ${floor} | ${met === null ? '–' : met ? 'yes' : '**no**'} |`;
  return ['| what | measured | floor | met |', '| --- | --- | --- | --- |', ...rows.map(line)].join('\n');
}
