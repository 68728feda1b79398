import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import { createMetrics, type MetricsSource } from '../../src/metrics/metrics.ts';
import { samplesOf, typesOf, valueOf } from './exposition.ts';
import { ended, everyNotice, where, whose } from './notices.ts';

async function scraped(...notices: Notice[]): Promise<string> {
  const metrics = createMetrics();
  for (const notice of notices) metrics.observe(notice);
  return (await metrics.scrape()).text;
}

const shop = { channel: 'wechat', account: 'shop' };

describe('what is counted', () => {
  test('a turn: its wait, when typing began, how much of it was covered, what was not', async () => {
    const text = await scraped(ended, { ...ended, waitMs: 10_000, litMs: 5_000, firstMs: 40 });
    expect(valueOf(text, 'keeptyping_wait_seconds_sum', shop)).toBe(30);
    expect(valueOf(text, 'keeptyping_wait_seconds_bucket', { ...shop, le: '15' })).toBe(1);
    expect(valueOf(text, 'keeptyping_first_typing_seconds_bucket', { ...shop, le: '0.03' })).toBe(1);
    expect(valueOf(text, 'keeptyping_cover_ratio_sum', shop)).toBeCloseTo(0.95 + 0.5);
    expect(valueOf(text, 'keeptyping_gap_seconds_total', shop)).toBe(6);
    expect(valueOf(text, 'keeptyping_turns_ended_total', { ...shop, evidence: 'gateway' })).toBe(2);
  });

  test.each(['answered_first', 'mode_off', 'paused'] as const)(
    'a turn that was to have no typing (%s) is no lack of cover',
    async (untyped) => {
      const text = await scraped({ ...ended, litMs: 0, firstMs: null, untyped });
      expect(valueOf(text, 'keeptyping_cover_ratio_count', shop)).toBe(null);
      expect(valueOf(text, 'keeptyping_gap_seconds_total', shop)).toBe(null);
      expect(valueOf(text, 'keeptyping_typing_skipped_total', { reason: untyped })).toBe(1);
    },
  );

  test('a turn that could have none is', async () => {
    const text = await scraped({ ...ended, litMs: 0, firstMs: null, untyped: 'no_permission' });
    expect(valueOf(text, 'keeptyping_cover_ratio_sum', shop)).toBe(0);
    expect(valueOf(text, 'keeptyping_gap_seconds_total', shop)).toBe(20);
    expect(valueOf(text, 'keeptyping_first_typing_seconds_count', shop)).toBe(null);
  });

  test('a breaker is in one state at a time', async () => {
    const text = await scraped(
      { is: 'breaker', state: 'open', ...where },
      { is: 'breaker', state: 'half-open', ...where },
    );
    const states = samplesOf(text).filter(({ name }) => name === 'keeptyping_breaker');
    expect(Object.fromEntries(states.map(({ labels, value }) => [labels['state'], value]))).toEqual({
      closed: 0,
      open: 0,
      'half-open': 1,
    });
  });

  test('a later try of the bot says nothing of what forwarding takes', async () => {
    const call = { is: 'bot', turn: 't', status: 0, result: 'again', ms: 5, ...whose } as const;
    const text = await scraped({ ...call, overheadMs: 12 }, { ...call, overheadMs: null });
    expect(valueOf(text, 'keeptyping_forward_overhead_seconds_count')).toBe(1);
    expect(valueOf(text, 'keeptyping_bot_answers_total', { code: '0', result: 'again' })).toBe(2);
  });

  test('whatever the numbers are, nothing is thrown and no sum is spoiled', async () => {
    const number = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, -1, Infinity));
    await fc.assert(
      fc.asyncProperty(number, number, number, async (waitMs, litMs, firstMs) => {
        const text = await scraped(
          { ...ended, waitMs, litMs, firstMs },
          { is: 'ghost', ms: firstMs, ...whose },
          { is: 'lag', queue: 'wake', ms: waitMs, at: 0 },
        );
        const own = samplesOf(text).filter(({ name }) => name.startsWith('keeptyping_'));
        expect(own.filter(({ value }) => !(value >= 0 && value < Infinity))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the text', () => {
  test('tells the process too, and says what it is', async () => {
    const { contentType, text } = await createMetrics().scrape();
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(typesOf(text).get('process_resident_memory_bytes')).toBe('gauge');
    expect(text.endsWith('\n')).toBe(true);
  });

  test('names no user, no turn, no message and no job', async () => {
    expect(await scraped(...everyNotice())).not.toMatch(/secret/i);
  });

  test('says on every series whose it is where a router chooses the dyno', async () => {
    const metrics = createMetrics({ dyno: 'web.2' });
    for (const notice of everyNotice()) metrics.observe(notice);
    const samples = samplesOf((await metrics.scrape()).text);
    expect(samples.length).toBeGreaterThan(300);
    expect(samples.filter(({ labels }) => labels['dyno'] !== 'web.2')).toEqual([]);
  });

  test('is of one process alone', async () => {
    const other = createMetrics();
    expect(valueOf(await scraped(ended), 'keeptyping_wait_seconds_count')).toBe(1);
    expect(valueOf((await other.scrape()).text, 'keeptyping_wait_seconds_count')).toBe(null);
  });
});

describe('values from outside', () => {
  test('accounts that are not served share one series, whatever a URL calls them', async () => {
    const metrics = createMetrics({ roster: { of: ({ account }) => (account === 'shop' ? account : null) } });
    for (let n = 0; n < 1_000; n += 1)
      metrics.observe({ ...where, is: 'push', result: 'refused', status: 404, account: `<script>${n}` });
    metrics.observe({ ...where, is: 'push', result: 'taken', status: 200 });
    const pushes = samplesOf((await metrics.scrape()).text).filter(
      ({ name }) => name === 'keeptyping_pushes_total',
    );
    expect(pushes.map(({ labels, value }) => [labels['account'], value])).toEqual([
      ['other', 1_000],
      ['shop', 1],
    ]);
  });

  test('an AppID behind a component is a label once its pushes are taken, not before', async () => {
    const account = 'vendor.wx1111111111111111';
    const refused = { ...where, is: 'push', result: 'refused', status: 401, account } as const;
    expect(await scraped(refused)).not.toContain('wx1111111111111111');
    expect(await scraped({ ...refused, result: 'taken', status: 200 })).toContain('wx1111111111111111');
  });

  test('a stranger is counted, and is no label', async () => {
    const text = await scraped(
      { ...where, is: 'push', result: 'stranger', status: 200, account: '8613800138000' },
      { ...where, is: 'push', result: 'stranger', status: 200, account: '8613800138001' },
    );
    expect(valueOf(text, 'keeptyping_pushes_total', { result: 'stranger' })).toBe(2);
    expect(text).not.toContain('86138');
  });

  test('codes and accounts without end end in one series', async () => {
    const metrics = createMetrics();
    for (let n = 0; n < 10_000; n += 1) {
      const { at, channel } = where;
      metrics.observe({ at, channel, account: 'shop', is: 'token', result: 'refused', code: n });
      metrics.observe({ at, channel, account: `account-${n}`, is: 'ghost', user: 'u', ms: 1 });
    }
    const samples = samplesOf((await metrics.scrape()).text);
    const renewals = samples.filter(({ name }) => name === 'keeptyping_token_renewals_total');
    expect(renewals).toHaveLength(201);
    expect(renewals.find(({ labels }) => labels['code'] === 'other')?.value).toBe(9_800);
    const ghosts = samples.filter(({ name }) => name === 'keeptyping_ghosts_total');
    // One of the places is taken by the shop.
    expect(ghosts).toHaveLength(5_000);
    expect(ghosts.find(({ labels }) => labels['account'] === 'other')?.value).toBe(5_001);
  });
});

const accounts: MetricsSource['accounts'] = () => [{ channel: 'wechat', account: 'shop', typing: 'off' }];

describe('what is looked up at each scrape', () => {
  const queue = { queue: 'replies', waiting: 3, active: 2, delayed: 1, failed: 4 } as const;
  const stock: MetricsSource['stock'] = async () => ({ queues: [queue], worker: true, conversations: 7 });

  test('queues, workers, conversations, accounts', async () => {
    const { text } = await createMetrics({ source: { accounts, stock } }).scrape();
    expect(valueOf(text, 'keeptyping_redis_up')).toBe(1);
    expect(valueOf(text, 'keeptyping_worker_up')).toBe(1);
    expect(valueOf(text, 'keeptyping_conversations_open')).toBe(7);
    expect(valueOf(text, 'keeptyping_queue_jobs', { queue: 'replies', state: 'failed' })).toBe(4);
    expect(valueOf(text, 'keeptyping_account_typing', shop)).toBe(0);
  });

  test.each([
    ['refuses', () => Promise.reject(new Error('away'))],
    ['hangs', () => new Promise<never>(() => {})],
  ])('without Redis (it %s) what it holds is left out, and the rest is told', async (_, gone) => {
    let look: MetricsSource['stock'] = stock;
    const metrics = createMetrics({ source: { accounts, stock: () => look() } });
    metrics.observe(ended);
    await metrics.scrape();
    look = gone;
    const { text } = await metrics.scrape();
    expect(valueOf(text, 'keeptyping_redis_up')).toBe(0);
    expect(valueOf(text, 'keeptyping_wait_seconds_count')).toBe(1);
    expect(valueOf(text, 'keeptyping_account_typing', shop)).toBe(0);
    for (const name of ['worker_up', 'conversations_open', 'queue_jobs'])
      expect(samplesOf(text).filter((sample) => sample.name === `keeptyping_${name}`)).toEqual([]);
  });

  test('what is rare and bad is told before it happens: an increase from nothing is none to Prometheus', async () => {
    const { text } = await createMetrics({ source: { accounts, stock } }).scrape();
    for (const way of ['failed', 'impossible', 'unknown'])
      expect(valueOf(text, 'keeptyping_deliveries_total', { ...shop, way })).toBe(0);
    expect(valueOf(text, 'keeptyping_ghosts_total', shop)).toBe(0);
    expect(valueOf(text, 'keeptyping_pushes_total', { ...shop, code: '401' })).toBe(0);
    expect(valueOf(text, 'keeptyping_turns_ended_total', { ...shop, evidence: 'reply-failed' })).toBe(0);
  });

  test('an account that is served no longer is told of no longer', async () => {
    let served = accounts();
    const metrics = createMetrics({ source: { stock, accounts: () => served } });
    expect(valueOf((await metrics.scrape()).text, 'keeptyping_account_typing', shop)).toBe(0);
    served = [];
    expect(valueOf((await metrics.scrape()).text, 'keeptyping_account_typing', shop)).toBe(null);
  });

  test('nothing is made up where nobody looks', async () => {
    const { text } = await createMetrics().scrape();
    for (const name of ['redis_up', 'worker_up', 'conversations_open'])
      expect(valueOf(text, `keeptyping_${name}`)).toBe(null);
  });
});
