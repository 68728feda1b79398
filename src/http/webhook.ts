import type { Request, Response } from 'express';
import type { Platform, Received, Refusal } from '../core/platform.ts';
import type { Place, Roster, Served } from '../core/roster.ts';
import { said } from '../core/said.ts';
import { headerOf, type PushHead, type RawPush } from '../core/wire.ts';
import { type PassDeps, passOn, takeAsJob } from './modes.ts';
import type { Refused } from './refused.ts';
import { headOf, pushOf, refuse, write } from './respond.ts';
import type { WebDeps } from './task.ts';

export interface WebhookDeps extends WebDeps, PassDeps {
  accounts: Roster;
  /** Hears of pushes that are not taken. @default nobody does */
  refused?: Refused;
  /** What each account may still say in this minute, signed and unsigned apart. */
  allowances: Map<string, Allowance>;
  /** Accounts that were set at run time have not been read yet. @default there are none */
  mayCome?: () => boolean;
  /** An account that is configured or set, but cannot be used. @default none is */
  isSkipped?: (place: Place) => boolean;
}

/** What was looked at before the body came: nothing of it is looked at again. */
const admitted = new WeakMap<Request, { head: PushHead; by: Platform }>();

type Read = { served: Served; received: Received };
type Refusing = { status: number; error: string };

/** `POST /webhooks/:channel/:account?`: checks the push, then hands it on as the account's mode says. */
export async function takePush(deps: WebhookDeps, request: Request, response: Response): Promise<void> {
  const candidates = candidatesOf(deps.accounts, request);
  // What a process that is behind reads now has waited for it.
  const arrivedAt = deps.clock.now() - deps.pressure.lateMs();
  const before = admitted.get(request) ?? null;
  const push = pushOf(request, before?.head);
  const all = await readBy(candidates, push, before?.by);
  if (!all) return refuseUnknown(deps, request, response);
  const read = withinBounds(deps, all);
  const { served, received } = read;
  tellPush(deps, read, { head: push, at: arrivedAt });
  if (received.is === 'refusal') return refuse(response, received.status, received.error);
  if (received.is === 'stranger') return void (await write(response, served.platform.acknowledgement));
  const { bot } = served;
  if (bot) {
    const task = { served, bot, received, push, response, arrivedAt };
    return bot.mode === 'pass' || received.straight ? passOn(deps, task) : takeAsJob(deps, task);
  }
  void deps.intake.tell(served.platform, received.happenings, 'acknowledged');
  await write(response, served.platform.acknowledgement);
}

/** Why a push is refused by what stands before its body; null: it is to be read. */
export function refusalOf(deps: WebhookDeps, request: Request): Refusing | null {
  const candidates = candidatesOf(deps.accounts, request);
  if (candidates.length === 0) return unknownOf(deps, request);
  const head = headOf(request);
  const refused: { served: Served; received: Refusal }[] = [];
  for (const served of candidates) {
    const received = served.platform.admit?.(head) ?? null;
    if (received === null) {
      admitted.set(request, { head, by: served.platform });
      return null;
    }
    refused.push({ served, received });
  }
  const [first] = refused;
  if (first) tellPush(deps, first, { head, at: deps.clock.now() });
  return first?.received ?? null;
}

/** `GET` on the webhook URL: the platform asks whether it is ours. */
export function shakeHands(deps: WebhookDeps, request: Request, response: Response): void {
  const candidates = candidatesOf(deps.accounts, request);
  if (candidates.length === 0) return refuseUnknown(deps, request, response);
  const head = headOf(request);
  const { rawQuery } = head;
  const answers = candidates.flatMap(({ platform }) => platform.handshake?.(rawQuery) ?? []);
  const echo = answers.find((answer) => answer.is === 'echo');
  if (echo) return void response.type('text/plain').send(echo.body);
  const [refusal] = answers;
  if (refusal?.is === 'refusal') {
    const [served] = candidates;
    // Whoever only looks what stands here is no platform.
    if (served && /(^|&)echostr=/.test(rawQuery))
      tellPush(deps, { served, received: refusal }, { head, at: deps.clock.now() });
    return refuse(response, refusal.status, refusal.error);
  }
  refuseMethod(response, 'POST');
}

export function refuseMethod(response: Response, allowed: string): void {
  response.set('Allow', allowed);
  refuse(response, 405, `This URL takes ${allowed} only.`);
}

export function candidatesOf(accounts: Roster, request: Request): readonly Served[] {
  const { channel, account } = request.params;
  return accounts.find(String(channel), account === undefined ? undefined : String(account));
}

function refuseUnknown(deps: WebhookDeps, request: Request, response: Response): void {
  const { status, error } = unknownOf(deps, request);
  refuse(response, status, error);
}

export function unknownOf(
  { mayCome, isSkipped }: Pick<WebhookDeps, 'mayCome' | 'isSkipped'>,
  request: Request,
): Refusing {
  if (mayCome?.())
    return { status: 503, error: 'Not all accounts are known yet, as Redis is out of reach: send it again.' };
  const { channel, account = 'default' } = request.params;
  const place = { channel: String(channel), account: String(account) };
  const error = isSkipped?.(place)
    ? `The account ${place.channel}/${place.account} is skipped: see /readyz?verbose.`
    : unknownAccount(request);
  return { status: 404, error };
}

function unknownAccount(request: Request): string {
  return `No account is configured for ${request.path}: check the URL in the platform's console against the configuration.`;
}

/** A URL without an account's name means the one whose signature, and whose number, fits. */
async function readBy(
  candidates: readonly Served[],
  push: RawPush,
  admittedBy: Platform | undefined,
): Promise<Read | null> {
  const reads: Read[] = [];
  for (const served of mostMarkedFirst(candidates, push)) {
    const received = await served.platform.receive(push, served.platform === admittedBy);
    if (received.is === 'push') return { served, received };
    reads.push({ served, received });
  }
  const fits = ({ received }: Read): boolean => !(received.is === 'refusal' && received.status === 401);
  return reads.find(({ received }) => received.is === 'stranger') ?? reads.find(fits) ?? reads[0] ?? null;
}

function mostMarkedFirst(candidates: readonly Served[], push: RawPush): readonly Served[] {
  if (candidates.length < 2) return candidates;
  const marked = candidates.map((served) => {
    const { platform } = served;
    // Another one's push comes last: it is only to be said whose.
    return { served, marks: platform.marks ? (platform.marks(push) ?? -1) : 0 };
  });
  return marked.toSorted((a, b) => b.marks - a.marks).map(({ served }) => served);
}

/** It fills up again with time, to what a minute has. */
export interface Allowance {
  left: number;
  /** When that was so (ms). */
  at: number;
  /** When it was last told that it had run out (ms). */
  toldAt: number;
}

const MINUTE = 60_000;
/** A quarter of a minute's may come at once, and so many in any case. */
const leastBurst = 100;

/**
 * A push that says more than its account takes up goes to the bot like any other, but nothing of it is typed or noted: one
 * account, or a stranger in its name, must not take the time of all others.
 */
function withinBounds({ allowances, clock, log }: WebhookDeps, read: Read): Read {
  const { served, received } = read;
  const { channel, account, perMinute } = served.platform;
  if (received.is !== 'push' || !perMinute) return read;
  const name = `${channel}/${account}${received.unsigned ? ' unsigned' : ''}`;
  const most = received.unsigned ? perMinute.unsigned : perMinute.signed;
  const now = clock.now();
  const burst = Math.min(most, Math.max(leastBurst, most / 4));
  const before = allowances.get(name) ?? { left: burst, at: now, toldAt: -Infinity };
  const left = Math.min(burst, before.left + (Math.max(0, now - before.at) * most) / MINUTE);
  const asked = received.excess ?? received.happenings.length;
  const isWithin = received.excess === undefined && asked <= left;
  const tells = !isWithin && now - before.toldAt >= MINUTE;
  if (tells) log.warn({ account, messages: asked, unsigned: received.unsigned === true }, tooMuch);
  allowances.set(name, {
    left: isWithin ? left - asked : left,
    at: now,
    toldAt: tells ? now : before.toldAt,
  });
  return isWithin ? read : { served, received: { ...received, happenings: [], excess: asked } };
}

const tooMuch =
  'Pushes say more than the account takes up: they go to the bot, and nothing is typed for them. Where that is right, raise NXCLOUD_PUSH_MESSAGES or NXCLOUD_MESSAGES_PER_MINUTE; where they are not signed, switch callback signing on.';

/** What the doctor sends says nothing of the platform: whoever forges this is told of less. No bot gets it. */
export const doctorsHeader = 'X-Keeptyping-Doctor';

/** Who writes without a signature names what they like: nothing that they name is told. */
export function tellPush(
  { observe, refused }: Pick<WebhookDeps, 'observe' | 'refused'>,
  { served: { platform }, received }: Read,
  { head, at }: { head: PushHead; at: number },
): void {
  const { channel, account } = platform;
  const isDoctors = headerOf(head.headers, doctorsHeader) !== null;
  if (received.is !== 'push' && isDoctors) return;
  if (received.is === 'refusal') refused?.note({ channel, account }, received.error);
  if (received.is === 'stranger') refused?.note({ channel, account }, strange);
  if (!observe) return;
  const result = resultOf(received);
  const status = received.is === 'refusal' ? received.status : 200;
  const age = received.is === 'push' ? received.age : undefined;
  if (!isDoctors) observe({ is: 'push', at, channel, account, result, status, age });
  if (received.is !== 'push') return;
  if (received.byPrevious) observe({ is: 'previous-secret', at, channel, account });
  for (const each of received.happenings) {
    if (each.is !== 'inbound') continue;
    const { user, key: turn, messageId, type, opensTurn } = each;
    observe({ is: 'inbound', at, channel, account, user, turn, messageId, type, opensTurn });
  }
}

function resultOf(received: Received): 'taken' | 'unread' | 'refused' | 'stranger' {
  if (received.is === 'push') return received.excess === undefined ? 'taken' : 'unread';
  return received.is === 'refusal' ? 'refused' : 'stranger';
}

/** It is acknowledged: the platform would only send it again. */
const strange = said(
  'The push is for a business phone, or an app, that no account here has, and was dropped: correct NXCLOUD_BUSINESS_PHONE or NXCLOUD_APP_ID, or let the pushes of that number go elsewhere.',
);
