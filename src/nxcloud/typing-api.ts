/**
 * The typing call: marks a user's message read and shows "typing…" for up to 25 s. Nothing takes it back.
 * https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator
 */
import type { Outcome, Target } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { type Answer, type HeaderLines, headerOf, NoAnswer, type Send } from '../core/wire.ts';
import type { NxcloudAccount } from './account.ts';
import { setClock, type CodeVerdict, verdictOf } from './codes.ts';
import { splitMessageId } from './message.ts';
import { sign } from './signature.ts';

export interface TypingApi {
  account: NxcloudAccount;
  typing: Send;
  clock: Clock;
  log: Log;
}

/** In ms, for the call and its retry together: typing is decoration, and a late one comes after the answer. */
const timeout = 3000;
/** A message to the user waits for a show, but no longer than 500 ms: one that begins so late could land after it (ms). */
const beginsWithin = 300;

/** One typing call, at most one quick retry included. Never throws. */
export async function show(api: TypingApi, target: Target): Promise<Outcome> {
  const { id, phone } = splitMessageId(target.messageId ?? '');
  const businessPhone = api.account.businessPhone ?? phone;
  if (id === '') return { is: 'message-refused', code: 0 };
  if (businessPhone === null) {
    api.log.warn(
      { account: api.account.name },
      'no typing: the push named no business phone, set businessPhone (NXCLOUD_BUSINESS_PHONE)',
    );
    return { is: 'message-refused', code: 0 };
  }
  const verdict = await callTwice(api, typingBody(api.account.appKey, businessPhone, id));
  report(api, verdict);
  return verdict.outcome;
}

/** In the order of the documentation's example; signed and sent as this very text. */
function typingBody(appKey: string, businessPhone: string, messageId: string): string {
  return JSON.stringify({
    appkey: appKey,
    messaging_product: 'whatsapp',
    business_phone: businessPhone,
    status: 'read',
    message_id: messageId,
    typing_indicator: { type: 'text' },
  });
}

async function callTwice(api: TypingApi, body: string): Promise<CodeVerdict> {
  const began = api.clock.now();
  const end = began + timeout;
  const first = await call(api, body, timeout);
  // The clock may have been set meanwhile: never more than the limit.
  const now = api.clock.now();
  const left = Math.min(end - now, timeout);
  if (first.next === 'nothing' || now - began > beginsWithin) return first;
  const second = await call(api, body, Math.floor(left));
  const stillExpired = first.next === 'resign' && second.next === 'resign';
  return stillExpired ? { ...second, outcome: { is: 'account-off', code: 1004, remedy: setClock } } : second;
}

async function call(api: TypingApi, body: string, timeoutMs: number): Promise<CodeVerdict> {
  try {
    const answer = await api.typing({
      method: 'POST',
      url: `${api.account.apiBase.replace(/\/+$/, '')}/api/wa/typingIndicator`,
      headers: headersFor(api, body),
      body,
      timeoutMs,
    });
    const verdict = verdictOf(answer);
    if (verdict.next === 'resign') reportDrift(api, answer);
    return verdict;
  } catch (error) {
    return noAnswer(error);
  }
}

/** Made anew for each attempt: a signature is good for 60 s. */
function headersFor({ account, clock }: TypingApi, body: string): HeaderLines {
  const common = {
    accessKey: account.accessKey,
    ts: String(Math.trunc(clock.now())),
    bizType: '2',
    action: 'read',
  };
  const signature = sign(common, body, { accessSecret: account.accessSecrets[0] ?? '' });
  return [...Object.entries(common), ['sign', signature], ['Content-Type', 'application/json']];
}

/** Only what cannot have been taken up is worth a retry; a timeout has had its time. */
function noAnswer(error: unknown): CodeVerdict {
  const begun = error instanceof NoAnswer ? error.begun : true;
  const cause = error instanceof Error ? error.message : 'unknown';
  return { outcome: { is: 'lost', begun, cause }, name: 'no answer', next: begun ? 'nothing' : 'retry' };
}

function reportDrift({ account, clock, log }: TypingApi, answer: Answer): void {
  const theirs = Date.parse(headerOf(answer.headers, 'date') ?? '');
  const driftMs = Number.isNaN(theirs) ? null : Math.trunc(clock.now()) - theirs;
  log.warn({ account: account.name, driftMs }, 'NXCloud calls our timestamp expired (1004)');
}

function report({ account, log }: TypingApi, { outcome, name }: CodeVerdict): void {
  const fields = {
    account: account.name,
    outcome: outcome.is,
    code: 'code' in outcome ? outcome.code : null,
  };
  if (outcome.is === 'failed' && outcome.bug) {
    log.error({ ...fields, name }, 'NXCloud calls our typing request malformed: please report it');
  } else if (outcome.is !== 'done') {
    log.debug({ ...fields, name }, 'typing call refused');
  }
}
