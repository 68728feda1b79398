/** Whether a push finds its way to keeptyping, as the platform makes it. */
import { type Examiner, fail, type Fault, type Finding, type Knock, ok } from '../core/platform.ts';
import { type Answer, asNoAnswer, NoAnswer, type Send } from '../core/wire.ts';
import { call, type CallDeps, isEcho, isSuccess } from './call.ts';
import { tookOf } from './report.ts';

export interface Webhook {
  /** Without a slash at the end. */
  base: string;
  /** As long as the platform waits (ms). */
  timeoutMs: number;
  push: boolean;
}

export async function examineWebhook(
  deps: CallDeps,
  examiner: Examiner,
  { base, timeoutMs, push }: Webhook,
): Promise<Finding[]> {
  const url = `${base}/webhooks/${examiner.channel}/${examiner.account}`;
  const knocks = [examiner.knock(), ...(push ? [examiner.message()] : [])];
  const findings: Finding[] = [];
  for (const [index, knock] of knocks.entries()) {
    const { result, tookMs } = await call(deps, knock, { url, timeoutMs });
    const fault = faultOf(result, knock);
    if (fault) return [...findings, fail('webhook', fault)];
    const what = index === 0 ? 'takes a signed request' : 'takes a signed message';
    findings.push(ok('webhook', `${url} ${what}, in ${tookOf(tookMs)}`));
  }
  return findings;
}

const address = 'Check the URL, and what stands before keeptyping: DNS, certificate, proxy, tunnel.';

function faultOf(result: Answer | NoAnswer, { expects }: Knock): Fault | null {
  if (result instanceof NoAnswer) return { says: `not reached (${result.message})`, remedy: address };
  const { status } = result;
  if (status === 401) {
    const remedy =
      'Start keeptyping there with the secrets that stand here, and see that no proxy changes the request.';
    return { says: 'the signature is refused (HTTP 401)', remedy };
  }
  if (status === 404) {
    const remedy = 'Check the URL; start keeptyping there anew if the account is newer than the process.';
    return { says: 'no such account there (HTTP 404)', remedy };
  }
  if (!isSuccess(result)) return { says: `HTTP ${status}`, remedy: address };
  if (expects === null || isEcho(result, expects)) return null;
  return { says: 'somebody else answers there', remedy: address };
}

const publicUrl = 'Give the public one: npm run doctor -- --webhook https://typing.example.com';

/** Whether keeptyping listens there; null: it does. */
export async function findListener(send: Send, base: string): Promise<Fault | null> {
  const request = { method: 'GET', url: `${base}/healthz`, headers: [], body: null, timeoutMs: 2_000 };
  const answer = await send(request).catch(asNoAnswer);
  if (answer instanceof NoAnswer)
    return { says: `not tried: nothing answers at ${base}`, remedy: `${publicUrl}.` };
  if (new TextDecoder().decode(answer.body) === '{"status":"alive"}') return null;
  return { says: `not tried: what answers at ${base} is not keeptyping`, remedy: `${publicUrl}.` };
}
