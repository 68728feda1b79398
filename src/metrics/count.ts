import { type Notice, wasWanted } from '../core/notice.ts';
import { behindOf, type Place } from '../core/roster.ts';
import type { Instruments } from './instruments.ts';

type NoticeOf<Is extends Notice['is']> = Extract<Notice, { is: Is }>;

interface CountOptions {
  instruments: Instruments;
  roster: LabelsOptions['roster'];
}

/** Counts each notice. Never throws. */
export function createCount({ instruments, roster }: CountOptions): (notice: Notice) => void {
  const labels = createLabels({ roster });
  return (notice) => count(instruments, labels, notice);
}

function count(on: Instruments, labels: Labels, notice: Notice): void {
  switch (notice.is) {
    case 'push':
      // Who a stranger says to be is no label; nor is an AppID behind a component that nothing proves.
      return on.pushes.inc({
        ...(isProven(notice) ? labels.place(notice) : { channel: notice.channel, account: rest }),
        result: notice.result,
        code: labels.code(notice.status),
      });
    case 'inbound':
      return on.inbound.inc({ ...labels.place(notice), kind: notice.opensTurn ? 'turn' : 'other' });
    case 'skipped':
      return on.skipped.inc({ ...labels.place(notice), reason: notice.reason });
    case 'call':
      return countCall(on, labels, notice);
    case 'ended':
      return countEnd(on, labels, notice);
    case 'ghost':
      on.ghosts.inc(labels.place(notice));
      return on.ghost.inc(labels.place(notice), seconds(notice.ms));
    case 'outbound':
      return on.outbound.inc({ ...labels.place(notice), evidence: notice.by });
    case 'handoff': {
      const kind = notice.on ? 'taken' : 'given-back';
      return on.handoffs.inc({ ...labels.place(notice), kind, reason: notice.by });
    }
    // What happens around the conversations.
    case 'delivery':
      return on.deliveries.inc({
        ...labels.place(notice),
        way: notice.way,
        code: labels.code(notice.code),
      });
    case 'bot':
      return countBot(on, labels, notice);
    case 'gateway': {
      const result = notice.waitedForShow ? 'waited' : 'passed';
      return on.gateway.observe({ channel: notice.channel, result }, seconds(notice.overheadMs));
    }
    case 'lag':
      return on.lag.observe({ queue: notice.queue }, seconds(notice.ms));
    case 'breaker':
      return countBreaker(on, labels, notice);
    case 'token':
      return on.tokens.inc({
        ...labels.place(notice),
        result: notice.result,
        code: labels.code(notice.code),
      });
    case 'account': {
      const place = labels.place(notice);
      on.typing.set(place, notice.typing === 'on' ? 1 : 0);
      return on.switches.inc({ ...place, state: notice.typing, code: labels.code(notice.code) });
    }
    case 'guess':
      return on.wrongTokens.inc({ token: notice.token });
    case 'previous-secret':
    case 'refused':
    case 'look':
      return;
  }
}

function isProven({ result, account }: NoticeOf<'push'>): boolean {
  return result === 'taken' || result === 'unread' || (result === 'refused' && behindOf(account) === null);
}

function countBreaker(on: Instruments, labels: Labels, notice: NoticeOf<'breaker'>): void {
  const place = labels.place(notice);
  for (const state of ['closed', 'open', 'half-open'])
    on.breaker.set({ ...place, state }, state === notice.state ? 1 : 0);
}

function countCall(on: Instruments, labels: Labels, notice: NoticeOf<'call'>): void {
  const { channel, kind, outcome, code, ms } = notice;
  on.calls.inc({ ...labels.place(notice), kind, outcome, code: labels.code(code) });
  on.call.observe({ channel, kind }, seconds(ms));
}

function countEnd(on: Instruments, labels: Labels, notice: NoticeOf<'ended'>): void {
  const { by: evidence, untyped, firstMs } = notice;
  const place = labels.place(notice);
  const wait = seconds(notice.waitMs);
  const lit = Math.min(seconds(notice.litMs), wait);
  on.ended.inc({ ...place, evidence });
  on.wait.observe(place, wait);
  if (firstMs !== null) on.first.observe(place, seconds(firstMs));
  if (untyped !== null) on.skipped.inc({ ...place, reason: untyped });
  if (wait === 0 || !wasWanted(untyped)) return;
  on.cover.observe(place, lit / wait);
  on.gap.inc(place, wait - lit);
}

function countBot(on: Instruments, labels: Labels, notice: NoticeOf<'bot'>): void {
  const { channel, result, status, ms, overheadMs } = notice;
  const place = labels.place(notice);
  on.answers.inc({ ...place, result, code: labels.code(status) });
  on.bot.observe({ ...place, result }, seconds(ms));
  if (overheadMs !== null) on.forward.observe({ channel }, seconds(overheadMs));
}

/**
 * What stands in labels. Each value is a series that stays until the process ends: what others choose (a platform's
 * codes, names in a URL) must not fill the memory.
 */

interface Labels {
  place(where: Place): Place;
  code(code: number): string;
}

interface LabelsOptions {
  /** Whether an account of that name is served: what a URL or a push names may be anything. */
  roster: { of(where: Place): unknown };
}

/** What stands for every account that is not served, and for every value after the first so many. */
const rest = 'other';

/** Accounts that were served once keep their series; platforms have some dozens of codes. */
const mostAccounts = 5_000;
const mostCodes = 200;

function createLabels({ roster }: LabelsOptions): Labels {
  const account = createBound(mostAccounts);
  const code = createBound(mostCodes);
  return {
    place: (where) => ({
      channel: where.channel,
      account: roster.of(where) !== null ? account(where.account) : rest,
    }),
    code: (number) => code(String(number)),
  };
}

function createBound(most: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= most) return rest;
    known.add(value);
    return value;
  };
}

/** Clocks that are measured against each other can give a little less than nothing, which prom-client would not take. */
function seconds(ms: number): number {
  return Number.isFinite(ms) && ms > 0 ? ms / 1000 : 0;
}
