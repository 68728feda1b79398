/** Reads Prometheus's text format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export function samplesOf(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
    if (name === undefined || value === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    return [
      { name, labels: Object.fromEntries(pairs.map(([, k, v]) => [k ?? '', v ?? ''])), value: Number(value) },
    ];
  });
}

/** The metrics' types by name, as `# TYPE` tells them. */
export function typesOf(text: string): Map<string, string> {
  const lines = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Map(lines.map(([, name, type]) => [name ?? '', type ?? '']));
}

/** The value of the one series of that name with these labels. */
export function valueOf(text: string, name: string, labels: Record<string, string> = {}): number | null {
  const found = samplesOf(text).filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  if (found.length > 1) throw new Error(`${found.length} series are meant by ${name}.`);
  return found[0]?.value ?? null;
}
