/** What has been seen of an account while keeptyping ran, and what follows from it. */
import { type Channel, type Examiner, fail, type Finding, ok, warn } from '../core/platform.ts';
import { ages, type Sight, type Sights } from '../core/roster.ts';
import { said, type Said, saidElsewhere, saidTogether } from '../core/said.ts';
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
  if (off.until === 0) return ok('typing', said('not refused by the platform'));
  const minutes = Math.ceil((off.until - now) / 60_000);
  const { code } = off;
  const says =
    minutes > 0
      ? said(
          "refused with code {code}; tried again in {minutes} min, at once after a restart, or by the console's button",
          { code, minutes },
        )
      : said('refused with code {code}; tried again with the next message', { code });
  return warn('typing', { says, remedy: saidElsewhere(off.remedy) });
}

function messages({ channel, account, sights, now }: AccountSights): Finding {
  if (sights.message !== undefined)
    return ok('messages', said('last seen {ago}', { ago: agoOf(now - sights.message) }));
  const path = account === 'default' ? channel : `${channel}/${account}`;
  const remedy = said(
    "Put keeptyping's URL, {path}, into the platform's console, and write to the account.",
    { path: `/webhooks/${path}` },
  );
  return warn('messages', { says: said('never seen'), remedy });
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
  const ago = said('{minutes} min ago', { minutes: Math.max(1, Math.round((now - last[1]) / 60_000)) });
  const remedy = saidTogether(...all.map(([sight]) => saidElsewhere(sight.slice(start.length))));
  return (sights.taken ?? 0) > last[1]
    ? warn('pushes', {
        says: said('some were not taken, the last {ago}, and others since were', { ago }),
        remedy,
      })
    : fail('pushes', { says: said('not taken, the last {ago}, and none since was', { ago }), remedy });
}

function assured({ assuredSince, now }: AccountSights): Finding | null {
  if (assuredSince === 0) return null;
  return ok(
    'signed or encrypted pushes',
    said('first seen {ago}: others are refused since then', { ago: agoOf(now - assuredSince) }),
  );
}

/** Whether WeChat's repeats bear timestamps of their own is not documented. */
function aged({ channel, sights, now }: AccountSights): Finding | null {
  if (channel !== 'wechat' || sights.message === undefined) return null;
  const oldest = ages.find(({ sight }) => sights[sight] !== undefined);
  const at = oldest && sights[oldest.sight];
  if (oldest === undefined || at === undefined)
    return ok('timestamps', said('none older than 1 min was taken'));
  const age = oldest.sight.slice('aged-'.length).replace('-', ' ');
  return ok('timestamps', said('the oldest taken was over {age} old, {ago}', { age, ago: agoOf(now - at) }));
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
    return ok('evidence', said('turns ended by {ways}', { ways: works.join(', ') }));
  if (sights.message === undefined) return null;
  return warn('evidence', {
    says: unheardOf(unheard === undefined ? null : agoOf(now - unheard), works),
    remedy: seen.evidence.remedy,
  });
}

function unheardOf(ago: Said | null, works: readonly string[]): Said {
  if (ago === null) return said('nothing tells when an answer is out');
  return works.length === 0
    ? said('nothing tells when answers are out, {ago}', { ago })
    : said('nothing tells when answers are out, {ago}; before that by {ways}', {
        ago,
        ways: works.join(', '),
      });
}

function answers(seen: AccountSights): Finding | null {
  if (!seen.evidence.inline || !seen.hasBot) return null;
  const inline = seen.sights['end-by-passive-reply'];
  const { note } = seen.evidence;
  if (inline !== undefined) {
    const ago = agoOf(seen.now - inline);
    return ok(
      'answers',
      note === undefined
        ? said("in the bot's webhook answer, last seen {ago}", { ago })
        : said(
            "in the bot's webhook answer, last seen {ago}, {note}: in job mode they go out through the API",
            {
              ago,
              note,
            },
          ),
    );
  }
  const works = evidenceSeen(seen).length > 0;
  return works ? ok('answers', said('the bot acknowledges, and sends another way')) : null;
}

/** So long the failed job is kept, which says what it was (ms). */
const failedKept = 24 * 60 * 60_000;

function tooLate({ sights: { impossible: at }, now }: AccountSights): Finding | null {
  if (at === undefined || now - at >= failedKept) return null;
  return warn('late answers', {
    says: said('one came too late ({ago}) of a kind that no API can send', { ago: agoOf(now - at) }),
    remedy: said(
      "Let the bot give such answers (transfer_customer_service, for one) within HOLD_MS, or send them by the platform's API; npm run replies says what it was.",
    ),
  });
}

/** So long ago it may have been mended (ms). */
const severalKept = 60 * 60_000;

function several({ sights: { more: at }, now }: AccountSights): Finding | null {
  if (at === undefined || now - at >= severalKept) return null;
  return warn('several messages', {
    says: said('the bot sends several to one question (last seen {ago}), and the first ends the typing', {
      ago: agoOf(now - at),
    }),
    remedy: said('Set *_SEND_ENDS=silence, or name in *_NO_ANSWERS the texts that are no answers.'),
  });
}

function statuses({ evidence, sights, now }: AccountSights): Finding | null {
  const { statuses: remedy } = evidence;
  if (remedy === null) return null;
  if (sights.status !== undefined)
    return ok('statuses', said('last seen {ago}', { ago: agoOf(now - sights.status) }));
  if (sights.message === undefined) return null;
  const others: Sight[] = ['end-by-gateway', 'end-by-queue', 'end-by-control', 'end-by-bot'];
  if (others.some((sight) => sights[sight] !== undefined))
    return ok('statuses', said('never seen, and not needed'));
  return warn('statuses', { says: said('never seen'), remedy });
}

/** So long without it, and the rotation is over (ms). */
const overAfter = 24 * 60 * 60_000;

function previous({ sights, hasPrevious, now }: AccountSights): Finding | null {
  return hasPrevious ? previousFinding(sights, now) : null;
}

/** Of a secret that has a predecessor: whether somebody still goes by that one. */
export function previousFinding(sights: Sights, now: number): Finding {
  const at = sights['previous-secret'];
  if (at === undefined)
    return ok(
      'previous secret',
      said('never seen in use: the variables that end in _PREVIOUS can be removed'),
    );
  if (now - at >= overAfter)
    return ok(
      'previous secret',
      said('last used {ago}: the variables that end in _PREVIOUS can be removed', { ago: agoOf(now - at) }),
    );
  const remedy = said('Give the new one to whoever uses the old one; keep the _PREVIOUS until then.');
  return warn('previous secret', { says: said('still in use ({ago})', { ago: agoOf(now - at) }), remedy });
}
