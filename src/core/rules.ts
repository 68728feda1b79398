/**
 * A platform's numbers, all in milliseconds unless said. Each adapter exports its table with the page that states
 * each number; every number can be overridden per account.
 */
export interface Rules {
  /** `off`: never; `once`: one indicator per turn; `continuous`: for as long as the platform allows. */
  mode: 'off' | 'once' | 'continuous';
  /** After a bare acknowledgement: `keep` what is lit, or `renew` it up to the cap. */
  afterAck: 'keep' | 'renew';
  /**
   * What a message to the user whose turn is not known ends: every acknowledged turn before it, or the oldest; or each,
   * when none has followed it for `sendSilence`.
   */
  sendEnds: 'all' | 'oldest' | 'silence';
  /** A text to whoever waits long, once per turn; null: none. `after`: null: when the window has run out. */
  interim: { after: number | null } | null;
  /** How long one accepted show lasts. */
  lifetime: number;
  /** Renewal is due this long after the lifetime's end. */
  renewMargin: number;
  /** A show needs an interaction at most this long ago… */
  window: number;
  /** …less this, for the time the call takes. */
  windowMargin: number;
  /** After "already typing": again after this long… */
  againAfter: number;
  /** …at most so many times in a row; then when the lifetime is over. 0: the platform never says so. */
  againTries: number;
  /** A hide that did not succeed is tried again after this, for as long as the indicator could still show. */
  hideRetry: number;
  /** A show that failed is tried again after this (the platform adapter itself has tried twice). */
  showRetry: number;
  /** A call without an outcome is given up after this (call timeout plus quick retry plus slack). */
  callLimit: number;
  /** The first show of a turn waits this long, so that fast answers cause no flicker. */
  startDelay: number;
  /** No turn shows for longer than this… */
  cap: number;
  /** …and none stays open for longer than this. */
  deadline: number;
  /** A message to the user while the bot still works: dark for this long, then on again. */
  darkAfterMessage: number;
  /** In pass mode a turn ends this long after a delivery without another… */
  lapse: number;
  /** …and with the end of this many deliveries (a count). */
  deliveries: number;
  /** The platform closes a delivery that has no answer after this, and delivers the push again. */
  patience: number;
  /** With `silence`: the last message to the user is the answer when this has passed. */
  sendSilence: number;
  /** A turn whose answer the platform could not deliver waits for so long for the bot's next try. */
  afterFailed: number;
  /** A message to the user takes the indicator away by itself. */
  messageClears: boolean;
  /** At most so many shows per conversation and minute (a count). */
  showsPerMinute: number;
  /** Messages that may go out per message of the user (a count); 0: no limit. */
  sendsPerMessage: number;
  /** A human who has taken the conversation keeps it for this long, unless it is given back… */
  handoff: number;
  /** …and one who has answered from the phone, for this long. */
  echoPause: number;
  /** A conversation in which nobody waits is remembered for this long: repeats and stragglers find its turns ended. */
  remembered: number;
  /** The other names of a user are known for this long after a push has named them. */
  namesKept: number;
  /** The platform may repeat a push for this long. */
  repeats: number;
  /** Platform has a call that takes the indicator away. */
  hides: boolean;
}
