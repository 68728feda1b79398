import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const prefix = 'keeptyping_';

export const counterIn =
  (registry: Registry) =>
  <const Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter<Label>({ name: `${prefix}${name}`, help, labelNames, registers: [registry] });

export const gaugeIn =
  (registry: Registry) =>
  <const Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge<Label>({ name: `${prefix}${name}`, help, labelNames, registers: [registry] });

export const histogramIn =
  (registry: Registry) =>
  <const Label extends string>(
    name: string,
    help: string,
    { labels, buckets }: { labels: readonly Label[]; buckets: readonly number[] },
  ) =>
    new Histogram<Label>({
      name: `${prefix}${name}`,
      help,
      labelNames: labels,
      buckets: [...buckets],
      registers: [registry],
    });
