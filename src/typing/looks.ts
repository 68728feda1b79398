/**
 * What kind of bot the first answers show, where its settings are for another kind (README, "by kind of bot"): told in
 * the log and to whoever observes, at most every half hour for as long as it looks so.
 */
import type { AccountNotice, Notice, Observe } from '../core/notice.ts';
import type { Log } from '../core/ports.ts';
import type { Place, ServedBot, Sights } from '../core/roster.ts';
import { said, type Said } from '../core/said.ts';
import { unanswered } from '../core/state.ts';

/** Each says what it looks like, and what to set. */
export const looks = {
  acknowledges: said(
    "The bot only acknowledges, and nothing tells when it has answered: let its API calls pass the gateway, or let it answer in the webhook's answer (WeChat), or NXCloud send its statuses here: docs/recipes.md.",
  ),
  waits: said(
    'The bot waits for the next delivery of WeChat (it answers 500 just before 5 s, or success only after), which WECHAT_REDELIVER=off withholds: unset that.',
  ),
  late: said(
    'The bot answers later than the deliveries of WeChat wait, and in pass mode nothing else brings its answer: set WECHAT_BOT_MODE=job.',
  ),
  several: said(
    'The bot sends several messages to one question, and the first ends the typing: set *_SEND_ENDS=silence, or name in *_NO_ANSWERS the texts that are no answers.',
  ),
} satisfies Record<string, Said>;

type BotSettings = Pick<ServedBot, 'mode' | 'redeliver'>;

interface LooksOptions {
  log: Log;
  observe: Observe;
  roster: { of(place: Place): { bot: BotSettings | null } | null };
  /** What all processes have seen of an account. */
  seen: (place: Place) => Promise<Sights>;
}

/** Of one account, since something last told of an answer. */
interface Unheard {
  /** Who has written, and whose push the bot has not had yet. */
  asking: Set<string>;
  /** When the first of those was acknowledged to whom nothing else came (ms), and whether that was late. */
  acknowledged: Map<string, { at: number; isLate: boolean }>;
  /** Calls that the bot cut short as if the platform were to deliver again; waits whose deliveries all ran out. */
  cut: number;
  undelivered: number;
}

/** One may be chance, or no question. */
const enough = 3;
/** So long an answer may take before it counts as not seen (ms). */
const patience = 3 * 60_000;
/** WeChat's deliveries wait so long; a bot that lives on them gives up just before (ms). */
const delivery = 5_000;
const justBefore = 3_000;
const apart = 30 * 60_000;
/** What processes have seen is noted each hour: so long ago it may have been still so (ms). */
const noted = 2 * 60 * 60_000;
/** Of an account, for which nothing tells anything. */
const most = 1_000;

export function createLooks(options: LooksOptions): Observe {
  const accounts = new Map<string, Unheard>();
  const told = new Map<string, number>();
  return (notice) => {
    if (!isTelling(notice)) return;
    const { channel, account, at } = notice;
    const bot = options.roster.of(notice)?.bot;
    if (!bot) return;
    const id = `${channel}/${account}`;
    const known = accounts.get(id) ?? heardNow();
    accounts.set(id, tellsOfAnswer(notice) ? heardNow() : known);
    const reason = take(known, notice, bot);
    if (reason === null || at < (told.get(`${id} ${reason}`) ?? 0)) return;
    told.set(`${id} ${reason}`, at + apart);
    void tell(options, { channel, account }, { reason, at });
  };
}

const telling = ['inbound', 'bot', 'delivery', 'outbound', 'ended'] as const;

type Telling = Extract<Notice, { is: (typeof telling)[number] }>;

function isTelling(notice: Notice): notice is Telling {
  return telling.some((is) => is === notice.is);
}

function heardNow(): Unheard {
  return { asking: new Set(), acknowledged: new Map(), cut: 0, undelivered: 0 };
}

async function tell(
  { log, observe, seen }: LooksOptions,
  place: AccountNotice,
  { reason, at }: { reason: Said; at: number },
): Promise<void> {
  // This process need not be the one that sees the answers; where nobody knows, it is no time to say so.
  if (reason !== looks.several && (await seen(place).then(tellOfAnswers(at), () => true))) return;
  log.warn({ ...place }, reason);
  observe({ is: 'look', at, ...place, reason });
}

function tellOfAnswers(now: number): (sights: Sights) => boolean {
  return (sights) =>
    Object.entries<number | undefined>(sights).some(
      ([sight, at = 0]) =>
        sight.startsWith('end-by-') && !unanswered.some((by) => sight === `end-by-${by}`) && now - at < noted,
    );
}

function tellsOfAnswer(notice: Telling): boolean {
  if (notice.is === 'delivery') return ['inline', 'sent', 'passed'].includes(notice.way);
  return notice.is === 'outbound' || (notice.is === 'ended' && !unanswered.includes(notice.by));
}

/** What it looks like now; null: like what it is set for, or nothing yet. */
function take(known: Unheard, notice: Telling, bot: BotSettings): Said | null {
  switch (notice.is) {
    case 'inbound':
      if (notice.opensTurn && known.asking.size < most) known.asking.add(notice.user);
      return null;
    case 'outbound':
      return notice.isMore ? looks.several : null;
    case 'ended':
      known.undelivered += notice.by === 'deliveries' ? 1 : 0;
      return bot.mode === 'pass' && known.undelivered >= enough ? looks.late : null;
    case 'bot':
      // Of what the platform cut short nothing is told.
      known.undelivered = 0;
      return takeAnswer(known, notice, bot.mode === 'job' && bot.redeliver !== true);
    case 'delivery':
      return null;
  }
}

/** @param isOnce WeChat would call the bot again, and keeptyping does not */
function takeAnswer(known: Unheard, notice: Extract<Notice, { is: 'bot' }>, isOnce: boolean): Said | null {
  const { user, status, ms, at, result } = notice;
  if (user === null || !known.asking.delete(user)) return null;
  if (result === 'answered') {
    if (known.acknowledged.size < enough) known.acknowledged.set(user, { at, isLate: ms >= delivery });
  } else if (status === 500 && ms >= justBefore && ms <= delivery) known.cut += 1;
  const unseen = [...known.acknowledged.values()].filter((one) => at - one.at >= patience);
  const isLate = unseen.length > 0 && unseen.every((one) => one.isLate);
  if (isOnce && notice.channel === 'wechat' && (known.cut >= enough || (unseen.length >= enough && isLate)))
    return looks.waits;
  return unseen.length >= enough ? looks.acknowledges : null;
}
