/**
 * What happened, told as it happens to whoever counts (the metrics) or keeps a record (the journal). Ids, codes and
 * durations; never a message, never a secret. Durations are whole or fractional ms.
 */
import type { Reason } from './decide.ts';
import type { Channel, Outcome } from './platform.ts';
import type { Log } from './ports.ts';
import type { Call, Evidence, Pause } from './state.ts';

/** What a turn, or a message, without typing is put down to. */
export type Untyped =
  | Reason
  /** The answer was faster than typing. */
  | 'answered_first'
  /** It was called for, and the platform accepted none. */
  | 'not_accepted'
  /** The process was too far behind. */
  | 'shed';

/** Waiting without typing is no fault where none was wanted, or where the answer came before it could begin. */
const unwanted: ReadonlySet<Untyped> = new Set<Untyped>([
  'answered_first',
  'bot_cancelled',
  'event_kind',
  'mode_off',
  'nobody_waits',
  'paused',
  'start_delay',
]);

/** Whether typing was to show; `untyped`: why none did. */
export function wasWanted(untyped: Untyped | null): boolean {
  return untyped === null || !unwanted.has(untyped);
}

/** How an answer of the bot reached its user, or did not. */
export type DeliveryWay =
  /** On the connection that the platform held open. */
  | 'inline'
  /** Through the platform's API, after that connection. */
  | 'sent'
  /** The platform said no; or this kind cannot be sent late. */
  | 'refused'
  | 'impossible'
  /** It certainly did not go out, and no try is left. */
  | 'failed'
  /** Nobody knows. */
  | 'unknown'
  /** The bot answered the platform's own delivery (pass mode). */
  | 'passed';

export interface AccountNotice {
  channel: Channel;
  account: string;
}

interface UserNotice extends AccountNotice {
  user: string;
}

/** Which one was guessed at; `login`: the console's, where it is the control token too. */
export type GuessedToken = 'control' | 'metrics' | 'gateway' | 'login';

/** `at`: ms since 1970, on the clock that all processes share. */
export type Notice = { at: number } &
  /**
   * A webhook request. `status`: what it was answered for itself: 200 taken, 401 not signed… `unread`: it says more than
   * the account takes up; it is taken, and nothing is typed for it.
   */
  (
    | ({
        is: 'push';
        result: 'taken' | 'unread' | 'refused' | 'stranger';
        status: number;
        /** Of a taken one's timestamp (s), where it has one that is older than a minute. */
        age?: number | undefined;
      } & AccountNotice)
    /** So many pushes were not taken, told a minute apart; `at`: the last of them. `reason`: one of our own sentences. */
    | ({ is: 'refused'; count: number; reason: string } & AccountNotice)
    /** The bot's answers look like those of another kind of bot than it is set for. `reason`: one of our own sentences. */
    | ({ is: 'look'; reason: string } & AccountNotice)
    /** A user's message or act has arrived; each of its repeats says so again. */
    | ({
        is: 'inbound';
        turn: string;
        messageId: string | null;
        type: string;
        opensTurn: boolean;
      } & UserNotice)
    /** It got no typing, and no turn either. */
    | ({ is: 'skipped'; turn: string; reason: Untyped } & UserNotice)
    /** A typing call, or the interim text, and what the platform said. */
    | ({
        is: 'call';
        kind: Call['kind'];
        outcome: Outcome['is'];
        code: number;
        /** What mends it, where somebody has to. */
        remedy: string | null;
        ms: number;
      } & UserNotice)
    /** A turn is over. */
    | ({
        is: 'ended';
        turn: string;
        by: Evidence;
        /** From the message to the end. */
        waitMs: number;
        /** For so much of it the platform had accepted an indicator. */
        litMs: number;
        /** From the message to the first accepted indicator; null: there was none. */
        firstMs: number | null;
        /** Why there was none. */
        untyped: Untyped | null;
      } & UserNotice)
    /** An indicator outlived the last turn that it was for; `ms`: at most. */
    | ({ is: 'ghost'; ms: number } & UserNotice)
    /** A message to the user was seen, whoever sent it. */
    | ({
        is: 'outbound';
        by: Evidence;
        messageId: string | null;
        /** One more, after that which had ended the wait: the bot sends several. */
        isMore: boolean;
      } & UserNotice)
    /** A human took the conversation, or gave it back. */
    | ({ is: 'handoff'; on: boolean; by: Pause } & UserNotice)
    /** What became of an answer. `turn`: the push's key. `job`: the failed job, to be run again by hand. */
    | ({
        is: 'delivery';
        turn: string;
        way: DeliveryWay;
        code: number;
        job: string | null;
      } & AccountNotice & {
          user: string | null;
        })
    /** The bot was called. `status` 0: no answer. `overheadMs`: from the push's arrival to the call; null: a later try. */
    | ({
        is: 'bot';
        turn: string;
        status: number;
        result: 'answered' | 'again' | 'failed';
        ms: number;
        overheadMs: number | null;
        /** Why it brought no answer, and where the bot is, without secrets. Absent: it answered. */
        why?: string | undefined;
      } & AccountNotice & { user: string | null })
    /** A call of the bot passed the gateway; `overheadMs`: what that added to it. */
    | ({ is: 'gateway'; overheadMs: number; waitedForShow: boolean } & AccountNotice)
    /** A job was begun so long after it was due. */
    | { is: 'lag'; queue: 'typing' | 'replies' | 'wake'; ms: number }
    | ({ is: 'breaker'; state: 'closed' | 'open' | 'half-open' } & AccountNotice)
    /** A push was signed or encrypted, or a call authorised, by the previous secret: the rotation is not over. */
    | { is: 'previous-secret'; channel: Channel | 'control'; account: string }
    /** A wrong token was shown. */
    | { is: 'guess'; token: GuessedToken }
    /** An access token was fetched; `code`: of the refusal, 0: none. */
    | ({ is: 'token'; result: 'renewed' | 'refused' | 'lost'; code: number } & AccountNotice)
    /** Typing of the whole account was switched. */
    | ({ is: 'account'; typing: 'on' | 'off'; code: number; remedy: string | null } & AccountNotice)
  );

/** Takes a notice. Never throws, never waits. */
export type Observe = (notice: Notice) => void;

/** Whoever hears of what happens: the metrics, the journal. */
export interface Observers {
  observe: Observe;
  add(observer: Observe): void;
}

export function createObservers(log: Log): Observers {
  const observers: Observe[] = [];
  const tell = (observer: Observe, notice: Notice): void => {
    try {
      observer(notice);
    } catch (error) {
      log.error({ error, notice: notice.is }, 'Something that happened was not counted.');
    }
  };
  return {
    observe: (notice) => observers.forEach((observer) => tell(observer, notice)),
    add: (observer) => void observers.push(observer),
  };
}
