/** What has been seen of an account while keeptyping ran, and what follows from it. */
import { type Channel, type Examiner, fail, type Finding, ok, warn } from '../core/platform.ts';
import { ages, type Sight, type Sights } from '../core/roster.ts';
import type { Evidence } from '../core/state.ts';
import { agoOf } from './check.ts';

export interface AccountSights {
  channel: Channel;
  account: string;
  /** Of its platform. */
  evidence: Examiner['evidence'];
  sights: Sights;
  /** `*_PREVIOUS` is set for one of the secrets. */
  hasPrevious: boolean;
  hasBot: boolean;
  /** Typing is switched off until then (ms), and why; 0: it is not. */
  off: { until: number; code: number; remedy: string };
  /** Since then its pushes were signed or encrypted (ms); 0: never seen. */
  assuredSince: number;
  /** ms since 1970. */
  now: number;
}

export function examineSights(seen: AccountSights): Finding[] {
  return [
    switchedOff(seen),
    messages(seen),
    refused(seen),
    assured(seen),
    aged(seen),
    evidence(seen),
    answers(seen),
    tooLate(seen),
    several(seen),
    statuses(seen),
    previous(seen),
  ].filter((finding) => finding !== null);
}

function switchedOff({ off, now }: AccountSights): Finding {
  if (off.until === 0) return ok('typing', 'not refused by the platform');
  const minutes = Math.ceil((off.until - now) / 60_000);
  const atOnce = "at once after a restart, or by the console's button";
  const again =
    minutes > 0 ? `tried again in ${minutes} min, ${atOnce}` : 'tried again with the next message';
  return warn('typing', { says: `refused with code ${off.code}; ${again}`, remedy: off.remedy });
}

function messages({ channel, account, sights, now }: AccountSights): Finding {
  if (sights.message !== undefined) return ok('messages', `last seen ${agoOf(now - sights.message)}`);
  const path = account === 'default' ? channel : `${channel}/${account}`;
  const remedy = `Put keeptyping's URL, /webhooks/${path}, into the platform's console, and write to the account.`;
  return warn('messages', { says: 'never seen', remedy });
}

/** So long what was refused may still matter (ms). */
const refusedKept = 24 * 60 * 60_000;

/** What was taken since shows that it is mended; or others send pushes, too. */
function refused({ sights, now }: AccountSights): Finding | null {
  const start = 'refused ';
  const all = Object.entries<number | undefined>(sights)
    .flatMap(([sight, at = 0]) => (sight.startsWith(start) ? [[sight, at] as const] : []))
    .filter(([, at]) => now - at < refusedKept)
    .toSorted(([, one], [, other]) => other - one);
  const [last] = all;
  if (!last) return null;
  const ago = `${Math.max(1, Math.round((now - last[1]) / 60_000))} min ago`;
  const remedy = all.map(([sight]) => sight.slice(start.length)).join(' ');
  return (sights.taken ?? 0) > last[1]
    ? warn('pushes', { says: `some were not taken, the last ${ago}, and others since were`, remedy })
    : fail('pushes', { says: `not taken, the last ${ago}, and none since was`, remedy });
}

function assured({ assuredSince, now }: AccountSights): Finding | null {
  if (assuredSince === 0) return null;
  return ok(
    'signed or encrypted pushes',
    `first seen ${agoOf(now - assuredSince)}: others are refused since then`,
  );
}

/** Whether WeChat's repeats bear timestamps of their own is not documented. */
function aged({ channel, sights, now }: AccountSights): Finding | null {
  if (channel !== 'wechat' || sights.message === undefined) return null;
  const oldest = ages.find(({ sight }) => sights[sight] !== undefined);
  const at = oldest && sights[oldest.sight];
  if (oldest === undefined || at === undefined) return ok('timestamps', 'none older than 1 min was taken');
  const age = oldest.sight.slice('aged-'.length).replace('-', ' ');
  return ok('timestamps', `the oldest taken was over ${age} old, ${agoOf(now - at)}`);
}

/** By what keeptyping learns that an answer is out. */
const telling = [
  'passive-reply',
  'gateway',
  'status',
  'echo',
  'queue',
  'control',
  'bot',
] as const satisfies Evidence[];

function evidenceSeen({ sights }: AccountSights): { by: Evidence; at: number }[] {
  return telling.flatMap((by) => {
    const at = sights[`end-by-${by}`];
    return at === undefined ? [] : [{ by, at }];
  });
}

function evidence(seen: AccountSights): Finding | null {
  const { sights, now } = seen;
  const works = evidenceSeen(seen).map(({ by, at }) => `${by} (${agoOf(now - at)})`);
  const unheard = sights['end-by-deadline'];
  if (works.length > 0 && (unheard === undefined || evidenceSeen(seen).some(({ at }) => at >= unheard)))
    return ok('evidence', `turns ended by ${works.join(', ')}`);
  if (sights.message === undefined) return null;
  const before = works.length > 0 ? `; before that by ${works.join(', ')}` : '';
  const says = `nothing tells when ${unheard === undefined ? 'an answer is out' : `answers are out, ${agoOf(now - unheard)}`}${before}`;
  return warn('evidence', { says, remedy: seen.evidence.remedy });
}

function answers(seen: AccountSights): Finding | null {
  if (!seen.evidence.inline || !seen.hasBot) return null;
  const inline = seen.sights['end-by-passive-reply'];
  const { note } = seen.evidence;
  const more = note === undefined ? '' : `, ${note}: in job mode they go out through the API`;
  if (inline !== undefined)
    return ok('answers', `in the bot's webhook answer, last seen ${agoOf(seen.now - inline)}${more}`);
  const works = evidenceSeen(seen).length > 0;
  return works ? ok('answers', 'the bot acknowledges, and sends another way') : null;
}

/** So long the failed job is kept, which says what it was (ms). */
const failedKept = 24 * 60 * 60_000;

function tooLate({ sights: { impossible: at }, now }: AccountSights): Finding | null {
  if (at === undefined || now - at >= failedKept) return null;
  return warn('late answers', {
    says: `one came too late (${agoOf(now - at)}) of a kind that no API can send`,
    remedy:
      "Let the bot give such answers (transfer_customer_service, for one) within HOLD_MS, or send them by the platform's API; npm run replies says what it was.",
  });
}

/** So long ago it may have been mended (ms). */
const severalKept = 60 * 60_000;

function several({ sights: { more: at }, now }: AccountSights): Finding | null {
  if (at === undefined || now - at >= severalKept) return null;
  return warn('several messages', {
    says: `the bot sends several to one question (last seen ${agoOf(now - at)}), and the first ends the typing`,
    remedy: 'Set *_SEND_ENDS=silence, or name in *_NO_ANSWERS the texts that are no answers.',
  });
}

function statuses({ evidence, sights, now }: AccountSights): Finding | null {
  const { statuses: remedy } = evidence;
  if (remedy === null) return null;
  if (sights.status !== undefined) return ok('statuses', `last seen ${agoOf(now - sights.status)}`);
  if (sights.message === undefined) return null;
  const others: Sight[] = ['end-by-gateway', 'end-by-queue', 'end-by-control', 'end-by-bot'];
  if (others.some((sight) => sights[sight] !== undefined))
    return ok('statuses', 'never seen, and not needed');
  return warn('statuses', { says: 'never seen', remedy });
}

/** So long without it, and the rotation is over (ms). */
const overAfter = 24 * 60 * 60_000;

function previous({ sights, hasPrevious, now }: AccountSights): Finding | null {
  return hasPrevious ? previousFinding(sights, now) : null;
}

/** Of a secret that has a predecessor: whether somebody still goes by that one. */
export function previousFinding(sights: Sights, now: number): Finding {
  const at = sights['previous-secret'];
  const removable = 'the variables that end in _PREVIOUS can be removed';
  if (at === undefined) return ok('previous secret', `never seen in use: ${removable}`);
  if (now - at >= overAfter) return ok('previous secret', `last used ${agoOf(now - at)}: ${removable}`);
  const remedy = 'Give the new one to whoever uses the old one; keep the _PREVIOUS until then.';
  return warn('previous secret', { says: `still in use (${agoOf(now - at)})`, remedy });
}
