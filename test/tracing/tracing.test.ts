/** Traces from a platform's push to the bot, through a real Redis and BullMQ, as they reach a collector. */
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { longHold, markIs, useStage } from '../e2e/stage.ts';
import { type Answer, headerOf, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { startTracing, type Tracing } from '../../src/tracing/tracing.ts';
import { createReleases } from '../../src/wiring/releases.ts';
import { openTracing } from '../../src/wiring/run.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { startRedis } from '../support/redis.ts';
import { type Collector, startCollector } from './collector.ts';

const { open } = useStage();

const user = 'oUserOfTraces';
const received = markIs('received');

let tracing: Tracing | null = null;
afterEach(async () => {
  await tracing?.stop();
  tracing = null;
});

function trace(url: string, log: RecordedLog = recordLog()): Tracing {
  tracing = startTracing({ url, serviceName: 'keeptyping', log });
  return tracing;
}

/** All spans, when the last has been sent. */
async function allOf(collector: Collector) {
  await tracing?.stop();
  return collector.spans();
}

const names = (spans: { name: string }[]): Set<string> => new Set(spans.map(({ name }) => name));

const parentOf = (headers: OutboundRequest['headers']): string[] =>
  (headerOf(headers, 'traceparent') ?? '').split('-');

describe('a push', () => {
  test('is one trace, from its arrival to the typing job and to the call of the bot, which learns it', async () => {
    const collector = await startCollector();
    const stage = await open({ tracing: trace(collector.url), bot: { thinkMs: 900 } });
    await stage.simulator.wechat.push({ user, text: 'hi' });
    await stage.simulator.wechat.phone(user).next(received);
    const call = await stage.bot.call(1);
    const [version, traceId, spanId, flags] = parentOf(call.headers);
    expect([version, flags]).toEqual(['00', '01']);
    await stage.close();
    const spans = (await allOf(collector)).filter((span) => span.traceId === traceId);
    expect([...names(spans)]).toEqual(
      expect.arrayContaining(['push', 'add typing.inbound', 'process typing', 'POST bot']),
    );
    expect(spans.find((span) => span.spanId === spanId)?.name).toBe('POST bot');
    const ids = new Set(spans.map((span) => span.spanId));
    const roots = spans.filter(({ parentSpanId = '' }) => !ids.has(parentSpanId));
    expect(roots.map(({ name }) => name)).toEqual(['push']);
    expect(collector.resource()).toMatchObject({ 'service.name': 'keeptyping' });
  });

  test('leaves nothing in a trace that says who wrote what', async () => {
    const collector = await startCollector();
    const stage = await open({ tracing: trace(collector.url), bot: { thinkMs: 700 } });
    const { simulator, bot } = stage;
    await simulator.wechat.push({ user, text: 'the secret text' });
    await simulator.nxcloud.push({ user: '8613800138000', text: 'the secret text' });
    await simulator.wechat.phone(user).next(received);
    await simulator.nxcloud.phone('8613800138000').next(received);
    const path = new URL(bot.url).pathname;
    await stage.close();
    expect((await allOf(collector)).length).toBeGreaterThan(5);
    const text = collector.texts.join('\n');
    for (const secret of [user, '8613800138000', 'secret', 'signature', 'openid', 'nonce', 'default/'])
      expect(text).not.toContain(secret);
    for (const { key } of bot.calls) expect(text).not.toContain(key ?? 'no key');
    expect(text).not.toMatch(/"[0-9a-f]{32}-\d+"/);
    expect(path).toBe('/');
  });

  test.each([
    { way: 'in pass mode', env: { WECHAT_BOT_MODE: 'pass' }, redis: 'up' },
    { way: 'without Redis', env: {}, redis: 'away' },
  ])('$way reaches the bot with its trace too', async ({ env, redis }) => {
    const collector = await startCollector();
    const stage = await open({ tracing: trace(collector.url), env });
    if (redis === 'away') await stage.redis.stop();
    await stage.simulator.wechat.push({ user, text: 'hi' });
    await stage.simulator.wechat.phone(user).next(received);
    const [, traceId] = parentOf((await stage.bot.call(1)).headers);
    await stage.close();
    const spans = (await allOf(collector)).filter((span) => span.traceId === traceId);
    expect([...names(spans)]).toEqual(expect.arrayContaining(['push', 'POST bot']));
  });
});

test('without pushes there are no spans, however often the workers look for jobs', async () => {
  const collector = await startCollector();
  const stage = await open({ tracing: trace(collector.url) });
  await delay(2_500); // Both queues' rounds after stalled jobs.
  await stage.close();
  expect(await allOf(collector)).toEqual([]);
});

describe('a job', () => {
  test('is known by its id and told once as without traces, and is hardly bigger', async () => {
    const server = await startRedis('embedded');
    const collector = await startCollector();
    const { telemetry } = trace(collector.url);
    const connection = server.connect();
    const plain = new Queue('plain', { connection });
    const traced = new Queue('traced', { connection, telemetry });
    const sizes = await Promise.all(
      [plain, traced].map(async (queue) => {
        const deduplication = { id: 'push', ttl: 60_000 };
        const first = await queue.add('reply', { push: 'body' }, { deduplication });
        const again = await queue.add('reply', { push: 'body' }, { deduplication });
        expect(again.id).toBe(first.id);
        await queue.add('wake', {}, { jobId: 'timer-1', delay: 60_000 });
        await queue.add('wake', {}, { jobId: 'timer-1', delay: 60_000 });
        expect(await queue.getJobCounts('waiting', 'delayed')).toEqual({ waiting: 1, delayed: 1 });
        expect(await queue.remove('timer-1')).toBe(1);
        const stored = await connection.hgetall(queue.toKey(first.id ?? ''));
        expect(JSON.parse(stored['data'] ?? '')).toEqual({ push: 'body' });
        return JSON.stringify(stored).length;
      }),
    );
    const [without = 0, withTrace = 0] = sizes;
    expect(withTrace - without).toBeGreaterThan(50);
    expect(withTrace - without).toBeLessThan(120);
    await Promise.all([plain.close(), traced.close()]);
    await server.stop();
  });

  test('of a process without traces is worked off by one with them, and the other way round', async () => {
    const server = await startRedis('embedded');
    const { telemetry } = trace((await startCollector()).url);
    const connection = server.connect();
    const done: string[] = [];
    for (const [from, to] of [
      [{}, { telemetry }],
      [{ telemetry }, {}],
    ]) {
      const queue = new Queue('mixed', { connection, ...from });
      await queue.add('reply', {});
      const worker = new Worker('mixed', async ({ name }) => void done.push(name), { connection, ...to });
      await vi.waitFor(() => expect(done.splice(0)).toEqual(['reply']));
      await Promise.all([worker.close(), queue.close()]);
    }
    await server.stop();
  });
});

const answer: Answer = { status: 200, headers: [], body: new Uint8Array() };
const plainRequest: OutboundRequest = {
  method: 'POST',
  url: 'http://bot.example/',
  headers: [],
  body: null,
  timeoutMs: 1_000,
};

describe('a call of the bot', () => {
  const request: OutboundRequest = {
    method: 'POST',
    url: 'https://bot.example/secret-path?openid=secret',
    headers: [
      ['Traceparent', '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00'],
      ['tracestate', 'platform=1'],
      ['Content-Type', 'text/xml'],
    ],
    body: Buffer.from([0, 255, 10]),
    timeoutMs: 1_000,
  };

  test('has another traceparent than the platform sent, and is the same in all else', async () => {
    const collector = await startCollector();
    let sent = request;
    await trace(collector.url).call(async (given) => {
      sent = given;
      return answer;
    })(request);
    const { headers, ...others } = sent;
    const { headers: given, ...expected } = request;
    expect(others).toEqual(expected);
    expect(others.body).toBe(request.body);
    expect(headers.slice(0, -1)).toEqual(given.slice(1));
    expect(headers.at(-1)).toEqual([
      'traceparent',
      expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    ]);
    const [span] = await allOf(collector);
    expect(Object.fromEntries(span?.attributes.map(({ key, value }) => [key, value]) ?? [])).toEqual({
      'http.request.method': { stringValue: 'POST' },
      'server.address': { stringValue: 'bot.example' },
      'server.port': { intValue: 443 },
      'http.response.status_code': { intValue: 200 },
    });
  });

  test('without an answer stays that, and its span says so', async () => {
    const collector = await startCollector();
    const lost = new NoAnswer('no answer within 1000 ms', { begun: true, timedOut: true });
    const call = trace(collector.url).call(() => Promise.reject(lost));
    await expect(call(request)).rejects.toBe(lost);
    const [span] = await allOf(collector);
    expect(span?.attributes).toContainEqual({ key: 'error.type', value: { stringValue: 'timeout' } });
  });
});

describe('a collector', () => {
  test('that is away harms nothing', async () => {
    const collector = await startCollector();
    await new Promise((resolve) => collector.server.close(resolve));
    const stage = await open({ ...longHold, tracing: trace(collector.url) });
    await stage.simulator.wechat.push({ user, text: 'hi' });
    expect(await stage.simulator.wechat.phone(user).next(received)).toMatchObject({ via: 'passive' });
    void tracing?.stop(); // It tries for longer than a test has to wait.
    tracing = null;
  });

  test('that takes no traces is said once, without its address', async () => {
    const collector = await startCollector('refuses');
    const log = recordLog();
    const { call } = trace(collector.url, log);
    await call(async () => answer)(plainRequest);
    await tracing?.stop();
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', expect.stringContaining('OTEL_EXPORTER_OTLP_ENDPOINT')],
    ]);
    expect(JSON.stringify(log.lines)).not.toContain(collector.url);
  });

  test('that hangs does not hold the end of the process', async () => {
    const collector = await startCollector('hangs');
    const releases = createReleases((name, error) => {
      throw new Error(`${name} did not close`, { cause: error });
    });
    const traces = { url: collector.url, serviceName: 'keeptyping' };
    const opened = await openTracing({ traces }, { log: recordLog(), releases });
    await opened?.call(async () => answer)(plainRequest);
    await releases.all();
    // The SDK itself would have waited until it gives up.
    expect(collector.waiting()).toBe(1);
    expect(collector.texts).toHaveLength(1);
  });
});
