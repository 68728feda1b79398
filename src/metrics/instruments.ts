/** Every metric of keeptyping's own: its name, what it means and its labels. `docs/metrics.md` holds the same table. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const place = ['channel', 'account'] as const;

export type Instruments = ReturnType<typeof createInstruments>;

export function createInstruments(registry: Registry) {
  return {
    ...createTypingCounters(registry),
    ...createMessageCounters(registry),
    ...createWaits(registry),
    ...createOverheads(registry),
    ...createGauges(registry),
  };
}

function createTypingCounters(registry: Registry) {
  const counter = counterIn(registry);
  return {
    ended: counter('turns_ended_total', 'Turns that ended, by what told so', ...place, 'evidence'),
    gap: counter('gap_seconds_total', 'Waiting without typing, of turns that were to have it', ...place),
    ghosts: counter('ghosts_total', 'Indicators that outlived their last turn', ...place),
    ghost: counter('ghost_seconds_total', 'For how long they did, at most', ...place),
    skipped: counter('typing_skipped_total', 'Messages without any typing, by reason', ...place, 'reason'),
    calls: counter(
      'calls_total',
      "Typing calls and interim texts, by the platform's answer",
      ...place,
      'kind',
      'outcome',
      'code',
    ),
    wrongTokens: counter('wrong_tokens_total', 'Wrong tokens that were shown, by which was meant', 'token'),
    tokens: counter('token_renewals_total', 'Fetches of an access token', ...place, 'result', 'code'),
    switches: counter(
      'account_switches_total',
      'Times that typing of an account was switched',
      ...place,
      'state',
      'code',
    ),
  };
}

function createMessageCounters(registry: Registry) {
  const counter = counterIn(registry);
  return {
    pushes: counter(
      'pushes_total',
      'Webhook requests, by what they were answered',
      ...place,
      'result',
      'code',
    ),
    inbound: counter(
      'inbound_messages_total',
      "Users' messages and acts, repeats included",
      ...place,
      'kind',
    ),
    outbound: counter(
      'outbound_messages_total',
      'Messages to users, whoever sent them',
      ...place,
      'evidence',
    ),
    handoffs: counter(
      'handoffs_total',
      'Conversations that a human took or gave back',
      ...place,
      'kind',
      'reason',
    ),
    deliveries: counter(
      'deliveries_total',
      "The bot's answers, by the way they went",
      ...place,
      'way',
      'code',
    ),
    answers: counter('bot_answers_total', 'Calls of the bot; code 0: no answer', ...place, 'result', 'code'),
  };
}

function createWaits(registry: Registry) {
  const histogram = histogramIn(registry);
  return {
    first: histogram(
      'first_typing_seconds',
      'From a message to the first typing that the platform accepted',
      {
        labels: place,
        buckets: buckets.first,
      },
    ),
    wait: histogram('wait_seconds', 'From a message to the end of its turn: the answer time', {
      labels: place,
      buckets: buckets.wait,
    }),
    cover: histogram('cover_ratio', 'Share of a wait with typing on, of turns that were to have it', {
      labels: place,
      buckets: buckets.share,
    }),
    bot: histogram('bot_answer_seconds', 'How long a call of the bot took', {
      labels: [...place, 'result'],
      buckets: buckets.wait,
    }),
    call: histogram('call_seconds', 'How long the platform took to answer a typing call or interim text', {
      labels: ['channel', 'kind'],
      buckets: buckets.call,
    }),
  };
}

function createOverheads(registry: Registry) {
  const histogram = histogramIn(registry);
  return {
    forward: histogram('forward_overhead_seconds', 'From the arrival of a push to the call of the bot', {
      labels: ['channel'],
      buckets: buckets.overhead,
    }),
    gateway: histogram('gateway_overhead_seconds', 'What the gateway added to a call of the bot', {
      labels: ['channel', 'result'],
      buckets: buckets.overhead,
    }),
    lag: histogram('job_lag_seconds', 'From when a job was due to when it was begun', {
      labels: ['queue'],
      buckets: buckets.lag,
    }),
  };
}

function createGauges(registry: Registry) {
  const gauge = gaugeIn(registry);
  return {
    breaker: gauge('breaker', "1 for the state of the account's breaker in this process", ...place, 'state'),
    typing: gauge('account_typing', '1: the platform lets the account type; 0: it has refused', ...place),
    redis: gauge(
      'redis_up',
      '1: Redis answered this scrape, and takes writes and all commands that are used',
    ),
    standing: gauge(
      'redis_standing',
      '1 for how Redis stands: ok, full, unwritable, readonly, refusing, away',
      'is',
    ),
    worker: gauge('worker_up', '1: a worker, of any process, has shown a sign of life in the last 3 s'),
    jobs: gauge('queue_jobs', 'Jobs in Redis', 'queue', 'state'),
    open: gauge('conversations_open', 'Conversations with a turn that waits for its answer'),
  };
}

/** Upper bounds of the histograms' buckets. All in seconds but `share`. */
const buckets = {
  /** Typing shows 8 to 30 ms after a message where the platform answers at once; over the internet later. */
  first: [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 5, 15],
  /** What users wait: from an inline answer to WeChat's 30 s, to the cap, to the deadline. */
  wait: [0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600],
  /** Of 1. */
  share: [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 1],
  /** Typing calls are given up after 3 s. */
  call: [0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 3],
  /** What keeptyping itself adds. */
  overhead: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5],
  lag: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60],
} as const satisfies Record<string, readonly number[]>;

const prefix = 'keeptyping_';

const counterIn =
  (registry: Registry) =>
  <const Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter<Label>({ name: `${prefix}${name}`, help, labelNames, registers: [registry] });

const gaugeIn =
  (registry: Registry) =>
  <const Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge<Label>({ name: `${prefix}${name}`, help, labelNames, registers: [registry] });

const histogramIn =
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
