/** What is written about metrics, held against the metrics that there are. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { samplesOf, typesOf, type Sample } from './exposition.ts';
import { everyNotice } from './notices.ts';

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard;
const alerts = alertsOf(read('alerts.yml'));

let text = '';
let samples: Sample[] = [];

beforeAll(async () => {
  const queue = { waiting: 1, active: 1, delayed: 1, failed: 1 };
  const metrics = createMetrics({
    source: {
      accounts: () => [{ channel: 'wechat', account: 'shop', typing: 'on' }],
      stock: async () => ({
        queues: [
          { queue: 'typing', ...queue },
          { queue: 'replies', ...queue },
        ],
        worker: true,
        conversations: 1,
      }),
    },
  });
  for (const notice of everyNotice()) metrics.observe(notice);
  ({ text } = await metrics.scrape());
  samples = samplesOf(text);
});

/** Everything of that name that was scraped; a histogram's by the name that it is documented under. */
function seriesOf(name: string): Sample[] {
  return samples.filter((sample) => sample.name.replace(/_(bucket|sum|count)$/, '') === name);
}

function labelsOf(series: readonly Sample[]): string[] {
  return [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))].filter((name) => name !== 'le');
}

function valuesOf(series: readonly Sample[], label: string): Set<string> {
  return new Set(series.flatMap(({ labels }) => labels[label] ?? []));
}

const rowsOf = (page: string, pattern: RegExp): string[][] =>
  [...read(page).matchAll(pattern)].map((row) => row.slice(1).map((cell) => cell.trim()));

const backticked = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

describe.each(['metrics.md', 'metrics.zh-CN.md'])('docs/%s', (page) => {
  const rows = rowsOf(page, /^\| `(keeptyping_\w+)` \| (\w+) \|([^|]*)\|/gm);

  test('has each metric of keeptyping, and no other, with its type', () => {
    const own = [...typesOf(text)].filter(([name]) => name.startsWith('keeptyping_'));
    expect(own.length).toBeGreaterThan(25);
    expect(new Map(rows.map(([name = '', type = '']) => [name, type]))).toEqual(new Map(own));
  });

  test('has no metric twice, and the others are the process’s', () => {
    expect(new Set(rows.map(([name]) => name)).size).toBe(rows.length);
    const others = [...typesOf(text).keys()].filter((name) => !name.startsWith('keeptyping_'));
    expect(others.filter((name) => !/^(process|nodejs)_/.test(name))).toEqual([]);
  });

  test('has the labels that each really carries', () => {
    const carried = rows.map(([name = '']) => [name, labelsOf(seriesOf(name)).join(', ')]);
    expect(rows.map(([name, , labels]) => [name, labels])).toEqual(carried);
    expect(rows.filter(([name = '']) => seriesOf(name).length === 0)).toEqual([]);
  });
});

describe('docs/metrics.md', () => {
  test.each([
    ['`result` of pushes', 'keeptyping_pushes_total'],
    ['`result` of calls of the bot', 'keeptyping_bot_answers_total'],
    ['`result` of the gateway', 'keeptyping_gateway_overhead_seconds'],
    ['`result` of token renewals', 'keeptyping_token_renewals_total'],
    ['`kind` of messages', 'keeptyping_inbound_messages_total'],
    ['`kind` of calls', 'keeptyping_calls_total'],
    ['`kind` of handoffs', 'keeptyping_handoffs_total'],
    ['`outcome`', 'keeptyping_calls_total'],
    ['`reason` of skipped typing', 'keeptyping_typing_skipped_total'],
    ['`reason` of handoffs', 'keeptyping_handoffs_total'],
    ['`evidence`', 'keeptyping_turns_ended_total'],
    ['`evidence`', 'keeptyping_outbound_messages_total'],
    ['`way`', 'keeptyping_deliveries_total'],
    ['`queue`', 'keeptyping_job_lag_seconds'],
    ['`state` of breakers', 'keeptyping_breaker'],
    ['`state` of jobs', 'keeptyping_queue_jobs'],
    ['`state` of account switches', 'keeptyping_account_switches_total'],
    ['`channel`', 'keeptyping_inbound_messages_total'],
  ])('lists the values of %s as they are in %s', (label, name) => {
    const [row] = rowsOf('metrics.md', /^\| (`[a-z]+`[^|]*) \|([^|]*)\|$/gm).filter(
      ([cell]) => cell === label,
    );
    const [about = ''] = backticked(label);
    expect(new Set(backticked(row?.[1] ?? ''))).toEqual(valuesOf(seriesOf(name), about));
  });
});

/** A metric of ours, or of the process, with the labels that an expression asks for. */
interface Selector {
  name: string;
  matchers: { label: string; operator: string; value: string }[];
}

function selectorsOf(expression: string): Selector[] {
  return [...expression.matchAll(/\b((?:keeptyping|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', inside = '']) => ({
      name,
      matchers: [...inside.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
        ([, label = '', operator = '', value = '']) => ({ label, operator, value }),
      ),
    }),
  );
}

/** What a scrape adds to each series. */
const ofTheScrape = ['instance', 'job'];

/** What an expression names that does not exist: metrics, their labels, the values of those, what it groups by. */
function unknownIn(expression: string): string[] {
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
  return selectorsOf(expression).flatMap(({ name, matchers }) => {
    const series = samples.filter((sample) => sample.name === name);
    if (series.length === 0) return [name];
    const known = [...labelsOf(series), ...(name.endsWith('_bucket') ? ['le'] : []), ...ofTheScrape];
    const asked = [...grouped, ...matchers.map(({ label }) => label)];
    const values = matchers
      .filter(({ label, value }) => !value.startsWith('$') && !ofTheScrape.includes(label))
      .flatMap(({ label, value }) => value.split('|').map((one) => [label, one] as const));
    return [
      ...asked.filter((label) => !known.includes(label)).map((label) => `${name} by ${label}`),
      ...values
        .filter(([label, value]) => !valuesOf(series, label).has(value))
        .map((pair) => `${name} with ${pair.join('=')}`),
    ];
  });
}

interface Alert {
  name: string;
  expression: string;
  block: string;
}

function alertsOf(yaml: string): Alert[] {
  return yaml
    .split(/^ +- alert: /m)
    .slice(1)
    .map((block) => {
      const [, expression = ''] = /expr: \|\n((?: {10,}.*\n)+)/.exec(block) ?? [];
      return { name: block.slice(0, block.indexOf('\n')), expression: expression.trim(), block };
    });
}

describe('docs/alerts.yml', () => {
  test.each(alerts)('$name asks for what exists', ({ expression }) => {
    expect(expression).toMatch(/keeptyping|up\{/);
    expect(unknownIn(expression)).toEqual([]);
  });

  test.each(alerts)('$name says what happened and what mends it, by labels that are left', (alert) => {
    const { block, expression } = alert;
    expect(block).toMatch(/summary: \S.{20}/);
    expect(block).toMatch(/remedy: \S.{20}/);
    const kept = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
    const said = [...block.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    expect([...kept, ...ofTheScrape]).toEqual(expect.arrayContaining(said));
  });

  test('covers what an operator has to know', () => {
    expect(alerts.length).toBe(20);
    expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length);
  });
});

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { uid: string };
  targets?: { expr: string; datasource: { uid: string } }[];
}

interface Dashboard {
  __inputs: { name: string; type: string; pluginId: string }[];
  templating: { list: { name: string; type: string; definition?: string; current: { value: unknown } }[] };
  panels: Panel[];
}

describe('docs/grafana-dashboard.json', () => {
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  test.each(expressions)('%s asks for what exists', (expression) => {
    expect(selectorsOf(expression).length).toBeGreaterThan(0);
    expect(unknownIn(expression)).toEqual([]);
  });

  test('asks for the data source, and all panels use it', () => {
    expect(dashboard['__inputs']).toMatchObject([{ name: 'DS_PROMETHEUS', pluginId: 'prometheus' }]);
    const [source] = dashboard.templating.list;
    expect(source).toMatchObject({ name: 'datasource', current: { value: '${DS_PROMETHEUS}' } });
    const used = dashboard.panels.flatMap(({ datasource, targets = [] }) =>
      [datasource, ...targets.map((target) => target.datasource)].flatMap((one) => one?.uid ?? []),
    );
    expect(new Set(used)).toEqual(new Set(['${datasource}']));
  });

  test('has variables for channel and account, which exist', () => {
    const variables = dashboard.templating.list.filter(({ type }) => type === 'query');
    expect(variables.map(({ name }) => name)).toEqual(['channel', 'account']);
    const definitions = variables.map(({ definition = '' }) => definition).join(' ');
    expect(selectorsOf(definitions)).toHaveLength(2);
    expect(unknownIn(definitions)).toEqual([]);
    const used = new Set(expressions.join(' ').match(/\$(?!_)\w+/g));
    expect(used).toEqual(new Set(['$channel', '$account']));
  });

  test('shows every metric of keeptyping', () => {
    const shown = new Set(
      expressions.flatMap(selectorsOf).map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')),
    );
    const own = [...typesOf(text).keys()].filter((name) => name.startsWith('keeptyping_'));
    const apart = ['keeptyping_ghosts_total'];
    expect(own.filter((name) => !shown.has(name) && !apart.includes(name))).toEqual([]);
  });

  test('has its panels side by side', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
