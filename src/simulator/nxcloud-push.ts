/** NXCloud's pushes to a webhook: signed where the app is configured so, repeated byte for byte until taken. */
import { setTimeout as wait } from 'node:timers/promises';
import { deliver, type Delivery, isAccepted } from './deliver.ts';
import { nxcloudSign } from './nxcloud-authenticate.ts';
import type { NxcloudRules } from './nxcloud-rules.ts';

export interface NxcloudPushOptions {
  accessKey: string;
  accessSecret: string;
  /** The app's "callback signing algorithm". */
  callbacks: 'none' | 'md5' | 'sha256';
  rules: NxcloudRules;
  webhook: { url: string | null };
  now: () => number;
  closing: AbortSignal;
}

export interface NxcloudPushed {
  deliveries: Delivery[];
  accepted: boolean;
}

/** What is pushed: `mo` comes from a user, `dr` tells of a message to one. WhatsApp's words here are documented nowhere. */
interface Callback {
  action: 'mo' | 'dr';
  body: string;
  /** Instead of the app's webhook. */
  url?: string;
}

/** Resolves when the push is accepted or given up. @throws Error when no webhook URL is known. */
export async function pushCallback(options: NxcloudPushOptions, callback: Callback): Promise<NxcloudPushed> {
  const url = callback.url ?? options.webhook.url;
  if (url === null) throw new Error('No webhook URL is set: call connect(url) first.');
  const { rules, closing: signal } = options;
  const headers = { 'content-type': 'application/json', ...callbackHeaders(options, callback) };
  const post = {
    method: 'POST',
    url,
    headers,
    body: callback.body,
    timeoutMs: rules.pushTimeout,
    signal,
  } as const;
  const deliveries: Delivery[] = [];
  for (;;) {
    const delivery = await deliver(post, options.now);
    deliveries.push(delivery);
    if (isAccepted(delivery)) return { deliveries, accepted: true };
    if (deliveries.length <= rules.retries) await pause(rules.retryMs, signal);
    if (deliveries.length > rules.retries || signal.aborted) return { deliveries, accepted: false };
  }
}

/** Resolves early when the simulator closes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { ref: false, signal }).catch(() => undefined);
}

/** The headers of one callback, for tests that send their own bytes. */
export function callbackHeaders(
  options: Pick<NxcloudPushOptions, 'accessKey' | 'accessSecret' | 'callbacks' | 'now'>,
  { action, body }: Callback,
): Record<string, string> {
  if (options.callbacks === 'none') return {};
  const { accessKey, accessSecret, callbacks: algorithm } = options;
  const signable = { accessKey, action, bizType: '2', ts: String(options.now()), body };
  const sign = nxcloudSign(signable, accessSecret, algorithm);
  return { accesskey: accessKey, action, biztype: '2', ts: signable.ts, algorithm, sign };
}
