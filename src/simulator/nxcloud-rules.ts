/**
 * WhatsApp's and NXCloud's rules for typing and sending.
 * Source: https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator
 */

/** What a further typing call does while or after an indicator runs: reports contradict each other, Meta says nothing. */
export type Rearm =
  /** H1: it shows for another 25 s, at any time. */
  | 'refresh'
  /** H2: it is ignored until the running indicator is over; a newer inbound message shows again at once. */
  | 'ignored-until-expiry'
  /** H3: each inbound message shows once. */
  | 'once-per-message';

/** Times in ms. */
export interface NxcloudRules {
  lifetime: number;
  rearm: Rearm;
  /** A business may write, and type, for so long after the user's last message. */
  customerWindow: number;
  /** `ts` may differ so much from the server's clock. */
  clockTolerance: number;
  /** A push that got no 2xx comes again after this… */
  retryMs: number;
  /** …at most so many times (a count). */
  retries: number;
  /** The webhook is given so long for its answer: no page says. */
  pushTimeout: number;
  /** The statuses pushed after each message to a user, in order. */
  statuses: readonly ('sent' | 'delivered' | 'read' | 'failed')[];
}

export const NXCLOUD_RULES: Readonly<NxcloudRules> = Object.freeze<NxcloudRules>({
  lifetime: 25_000,
  rearm: 'ignored-until-expiry',
  customerWindow: 86_400_000,
  clockTolerance: 60_000,
  retryMs: 60_000,
  retries: 60,
  pushTimeout: 15_000,
  statuses: ['sent', 'delivered'],
});
