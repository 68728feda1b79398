/** What is noted of an account as it runs, for whoever asks later what works. */
import type { Evidence } from './turn.ts';

export type Sight =
  /** A message or an act of a user has arrived. */
  | 'message'
  /** A status of a message to a user has arrived. */
  | 'status'
  /** A push was signed or encrypted, or a call authorised, by the previous secret. */
  | 'previous-secret'
  /** A turn was ended by this. */
  | `end-by-${Evidence}`;

/** When each was last seen, in ms since 1970, to the hour. */
export type Sights = Readonly<Partial<Record<Sight, number>>>;

/** Whose it is. `control/token`: the control API. */
export interface Place {
  channel: string;
  account: string;
}

/** Its name apart from all others: `channel/account`. */
export function idOf({ channel, account }: Place): string {
  return `${channel}/${account}`;
}

/** Takes a note. Never throws, never waits. */
export type Saw = (place: Place, sights: readonly Sight[]) => void;
