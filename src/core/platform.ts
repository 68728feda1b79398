/**
 * The port: what keeptyping needs of a messaging platform. One folder per platform implements it, with the same
 * file names. What a platform cannot do is a missing member: NXCloud has no `hide` and no `sendLate`.
 */
import type { Rules } from './rules.ts';
import type { Said } from './said.ts';
import type { Answer, PushHead, RawPush } from './wire.ts';

/** One thing that a push says. Times of the platform are whole seconds since 1970, as it sends them. */
export type Happening = {
  user: string;
  /** By what else the push names that user: from then on all lead to the one conversation. Absent: by nothing. */
  names?: readonly string[];
} &
  /** A user's message or act. `opensTurn`: an answer is to be expected. `interaction`: it counts for the platform's window. */
  (
    | {
        is: 'inbound';
        /** Unique within the account; the same on every repeat of the push. It is the turn's id. */
        key: string;
        /** What the platform calls the message, where it names one (MsgId, wamid). Never a number: MsgId is 64-bit. */
        messageId: string | null;
        /** The platform's word: `text`, `image`, `event.CLICK`, `reaction`… */
        type: string;
        sentAt: number;
        opensTurn: boolean;
        interaction: boolean;
        /** To which of the account's numbers it was written; absent where the account has one, or where nothing says. */
        to?: string;
      }
    /**
     * A message to the user is known to have gone out, by whom is not. `slack`: the two times are of different clocks:
     * it answers what was written up to so many seconds after it; less than nothing: it must be so much later. @default 0
     */
    | {
        is: 'evidence';
        evidence: 'status' | 'echo';
        sentAt: number;
        slack?: number;
        messageId: string | null;
        /** From which of the account's numbers. */
        from?: string;
      }
    /** A message to the user, known to have gone out or not, has failed: the user saw nothing of it. */
    | { is: 'failed'; sentAt: number; messageId: string | null; from?: string }
    /** A message to the user that answers nobody: a campaign's. */
    | { is: 'aside'; messageId: string }
    /** A human took over (`on`) or handed back. */
    | { is: 'handoff'; on: boolean }
    /** The user left (unsubscribed). */
    | { is: 'left' }
  );

export type Received =
  | {
      is: 'push';
      /** The whole push's key: equal for repeats, for job deduplication. At most 200 characters. */
      key: string;
      happenings: Happening[];
      /** It says so much at once that nothing of it was read. */
      excess?: number;
      /** Nobody has signed it: anybody may have sent it. */
      unsigned?: true;
      /** The previous secret has signed or encrypted it: the rotation is not over. */
      byPrevious?: true;
      /** The platform tests the bot: to it and back at once, in every mode. */
      straight?: true;
      /** A message, or news of one, that nobody can have made without the account's secret: what it says is signed, or encrypted. */
      assured?: true;
      /** Seconds since its signed timestamp, where it has one that is older than a minute. */
      age?: number;
    }
  | Refusal
  /** Authentic but for an account that is not configured here. */
  | { is: 'stranger'; who: string };

/** Not ours to process: answered with this status and one sentence. */
export interface Refusal {
  is: 'refusal';
  status: 400 | 401;
  /** What mends it, too. */
  error: Said;
}

export interface Following {
  add(chunk: Uint8Array): void;
  /** After the last byte. null: the signature is right. */
  end(): Refusal | null;
}

/** What the pushes of an account have shown so far, in any process: its platform signs or encrypts each, or none. */
export interface Assurance {
  /** One was assured: from then on none is taken that is not. */
  isAsked(): boolean;
  /** One has come. Never throws, never waits. */
  note(): void;
}

/** What a typing call achieved: the platform's word as a value. "No answer" is `lost`. */
export type Outcome =
  /** Accepted: the indicator runs (show) or is gone (hide). */
  | { is: 'done' }
  /** The indicator was running already (45081). */
  | { is: 'already' }
  /** No more until the user's next interaction (45080, 131047…). */
  | { is: 'window-closed'; code: number }
  /** Nothing for this message id any more (100, 131009). */
  | { is: 'message-refused'; code: number }
  /** Nothing for this user for `forMs`. */
  | { is: 'user-back-off'; code: number; forMs: number }
  /** Nothing for the whole account for `forMs` (rate and daily limits). */
  | { is: 'account-back-off'; code: number; forMs: number }
  /** The account may not, until somebody mends it: `remedy` says how, in one sentence. */
  | { is: 'account-off'; code: number; remedy: Said }
  /** The platform failed and certainly showed nothing. `bug`: the platform says that our request was malformed. */
  | { is: 'failed'; code: number; bug?: boolean }
  /** No answer: the call may have been carried out (`begun`) or not. */
  | { is: 'lost'; begun: boolean; cause: string };

/** What a bot's webhook answer means to the user's turn. */
export type BotAnswer =
  /** It holds a message to the user; `isInterim`: of those that are no answers. */
  | { is: 'message'; isInterim?: true }
  /** It only acknowledges (`success`, `{}`, nothing): the message, if any, comes another way. */
  | { is: 'acknowledgement' }
  /** It passes the user on to a human. */
  | { is: 'handoff' };

/** What became of an answer that was sent after the platform had stopped waiting. */
export type LateSend =
  /** `rest`: more of the answer is to follow. */
  | { is: 'sent'; rest?: LateRest }
  /** The platform said no, by this code. `mayNotSend`: no message of this account will pass until somebody mends it. */
  | { is: 'refused'; code: number; reason: string; mayNotSend: boolean }
  /** This kind of answer cannot be sent late; `reason` says which and why. */
  | { is: 'impossible'; reason: string }
  /** Nobody knows: never repeated by itself. */
  | { is: 'unknown'; cause: string }
  /** It certainly did not go out, and another try may. `perMinute`: not before the next minute, whose quota is its own. */
  | { is: 'not-sent'; cause: string; perMinute?: true };

/** Which message of an answer is sent: where it begins, as the platform counts, and how many there may be from it on. */
export interface LatePart {
  from: number;
  most: number;
}

/** What of an answer has not gone out. `says`: how much, as `900 of 5000 characters`. */
export interface LateRest {
  from: number;
  says: string;
}

export interface AnswerShape {
  /** On the connection of its push the platform would show nothing of it. */
  isLateOnly: boolean;
  /** It may take several messages. */
  isLong: boolean;
}

export interface Target {
  user: string;
  /** The newest inbound message id, for platforms whose call names one. */
  messageId: string | null;
}

/** As much of a platform as the gateway needs. */
export type GatewayPlatform = Pick<Platform, 'channel' | 'account' | 'ownCalls'>;

export interface Platform {
  readonly channel: Channel;
  readonly account: string;
  readonly rules: Rules;
  /** What an acknowledgement leaves is learned from how turns end (`*_AFTER_ACK=auto`). @default as the rules say */
  readonly learnsAfterAck?: boolean;
  /** The typing call names a message of the user; without a known one nothing can be shown. */
  readonly needsMessageId: boolean;
  /** What the platform is told when its push has been taken and there is nothing to say. */
  readonly acknowledgement: Answer;
  /** So much that pushes say is taken up of the account within a minute. Absent where it is not limited. */
  readonly perMinute?: { readonly signed: number; readonly unsigned: number };
  /** Reads the bot's own calls as they pass through the gateway. */
  readonly ownCalls: OwnCalls;

  /** The answer to a GET on the webhook URL (WeChat's echostr). Absent where there is no such handshake. */
  handshake?(
    rawQuery: string,
  ): { is: 'echo'; body: string } | { is: 'refusal'; status: 400 | 401; error: Said };

  /**
   * How many of the account's own marks (its number, its app) stand in the push, unchecked: of several accounts the one
   * with most is asked first. null: the push has another one's. Absent where pushes have none. Never throws.
   */
  marks?(push: RawPush): number | null;

  /** Refuses by query and headers, before the body is read; null: it is to be read. Absent where they say nothing. */
  admit?(head: PushHead): Refusal | null;

  /**
   * Checks the signature of a push that is too long to be held, as its bytes pass. null: it has none, and needs none; a
   * refusal: it needs one that cannot be checked so. Absent where none is ever asked for.
   */
  follow?(head: PushHead): Following | Refusal | null;

  /**
   * Checks the signature over the raw bytes, then reads them. Never throws on bad input.
   * @param isAdmitted `admit` has let its head pass, and is not to look at the same again. @default false
   */
  receive(push: RawPush, isAdmitted?: boolean): Promise<Received>;

  /** One typing call. Never throws. */
  show(target: Target): Promise<Outcome>;
  /** Takes the indicator away. Absent where nothing can. Never throws. */
  hide?(target: Target): Promise<Outcome>;

  /** A user as this channel's conversations name one, however somebody else has spelled it. @default as it is */
  spell?(user: string): string;

  /** What somebody else's word for a message stands for here. `known`: the newest message id that a push has brought. */
  refer(user: string, messageId: string, known: string | null): { turn: string; messageId: string };

  /** What a code of the platform's means to a typing call, and what mends it, in one sentence. */
  explain(code: number): Said;

  /** Reads a bot's 2xx webhook answer; opens it where it is encrypted. */
  readAnswer(answer: Answer): Promise<BotAnswer>;
  /**
   * Sends a bot's webhook answer through the platform's API: the next message of it. Absent where webhook answers never
   * hold messages.
   * @param part @default the first of as many as it takes
   */
  sendLate?(user: string, answer: Answer, part?: LatePart): Promise<LateSend>;
  /** What an answer is that holds a message. Absent: any is shown on the connection, and sent as one message. */
  shapeOf?(answer: Answer): AnswerShape;
  /** Sends the account's text for whoever waits long. Absent where none is configured, or can be sent. Never throws. */
  sendInterim?(user: string): Promise<Outcome>;
}

/** Who writes with whom. */

export const channels = ['wechat', 'nxcloud'] as const;
export type Channel = (typeof channels)[number];

export function isChannel(name: string): name is Channel {
  return channels.some((channel) => channel === name);
}

/** One user of one account of one channel. `user` is an openid, a phone number or a BSUID. */
export interface Conversation {
  channel: Channel;
  account: string;
  user: string;
}

/** A user's conversation with this account. */
export function conversationOf(
  { channel, account }: Pick<Conversation, 'channel' | 'account'>,
  user: string,
): Conversation {
  return { channel, account, user };
}

/** The one spelling of a conversation in keys and job data. */
export function conversationId({ channel, account, user }: Conversation): string {
  return `${channel}/${account}/${user}`;
}

/** …and back: a user's name may hold anything, an account's no slash. null: it is none. */
export function conversationNamed(id: string): Conversation | null {
  const [channel = '', account = '', ...user] = id.split('/');
  return isChannel(channel) ? { channel, account, user: user.join('/') } : null;
}

/** An account as it is examined against the live platform: what only the adapter knows. */

/** A request as the platform makes it on a webhook URL, signed. */
export interface Knock {
  method: 'GET' | 'POST';
  /** Without the leading "?". */
  rawQuery: string;
  headers: readonly (readonly [name: string, value: string])[];
  body: string | null;
  /** The text that must come back; null: any 2xx will do. */
  expects: string | null;
}

/** No member throws. */
export interface Examiner {
  readonly channel: Channel;
  readonly account: string;
  /** By what it can be learned on this platform that an answer is out. */
  readonly evidence: {
    /** The bot's webhook answer can be the message. */
    inline: boolean;
    /** What is to be said of that. @default nothing */
    note?: Said;
    /** The platform sends statuses of messages; what mends that none came. null: it sends none. */
    statuses: Said | null;
    /** What mends that nothing tells. */
    remedy: Said;
  };
  /** Asks the platform's API what it makes of the account. Nobody's phone shows anything of it. */
  ask(): Promise<Finding[]>;
  /** What no bot answers: it asks whether somebody is there who knows the secret. */
  knock(): Knock;
  /** The same unsigned, and with a wrong signature: keeptyping is to refuse both. */
  forgeries(): { unsigned: Knock; wrong: Knock };
  /** What mends that it takes one. */
  readonly forged: Said;
  /** A text message of a user who does not exist. */
  message(): Knock;
  /** What the bot's answer to that message means. */
  readAnswer(answer: Answer): BotAnswer;
  /** Why the platform shows nothing of that answer. Absent, or null: it shows it. */
  unshown?(answer: Answer): Unshown | null;
}

export interface Unshown {
  says: Said;
  /** In job mode it goes out through the platform's API instead. */
  isSent: boolean;
  /** What mends it where it does not; empty: nothing has to. */
  remedy: Said | '';
}

/** One thing that was looked at, and how it stands. Nothing in it is a secret. */
export interface Finding {
  /** `warn`: works, but not as well as it could. `fail`: the indicator or the messages suffer. */
  level: 'ok' | 'warn' | 'fail';
  /** What was looked at: `Redis memory`, `wechat/shop access token`. */
  subject: string;
  /** How it stands, in one sentence. */
  says: Said;
  /** How to mend it, in one sentence; empty where there is nothing to mend. */
  remedy: Said | '';
}

/** What somebody should mend. */
export type Fault = Pick<Finding, 'says' | 'remedy'>;

export function ok(subject: string, says: Said): Finding {
  return { level: 'ok', subject, says, remedy: '' };
}

export function warn(subject: string, fault: Fault): Finding {
  return { level: 'warn', subject, ...fault };
}

export function fail(subject: string, fault: Fault): Finding {
  return { level: 'fail', subject, ...fault };
}

/** The bot's own calls to the platform's API, read as they pass: what they say about the user's wait. */

export type OwnCall =
  /** A message to the user. `from`: by which of the account's numbers, where it has several. `isInterim`: it is no answer. */
  | { is: 'send'; user: string; from?: string; isInterim?: true }
  /** What the platform reports as it does a message, and no answer: a reaction. */
  | { is: 'aside'; user: string }
  /** The bot's own indicator, switched on or off. */
  | { is: 'typing'; user: string; on: boolean };

/** What the platform said to it. */
export type Verdict =
  /**
   * `messageId`: what the platform's later statuses call the message, where it names one. `names`: what else it calls the
   * user. @default nothing
   */
  | { is: 'accepted'; messageId: string | null; names?: readonly string[] }
  /** `name`: the code's name in the platform's documentation. */
  | { is: 'refused'; code: number; name: string }
  /** No answer, or one that cannot be read: it may have been carried out. */
  | { is: 'unknown' };

/** How an adapter reads them. Nothing here throws, whatever the bytes. */
export interface OwnCalls {
  /** Whether a call is worth reading. `path`: below the API's base, without query. */
  reads(method: string, path: string): boolean;
  /** null: it says nothing of a user. */
  read(path: string, body: Uint8Array): OwnCall | null;
  verdict(answer: Answer): Verdict;
}

/** A base that ends in a slash makes two of them; the platforms mind neither those nor one at the end. */
export function tidyPath(path: string): string {
  return path.replace(/\/+/g, '/').replace(/\/$/, '');
}
