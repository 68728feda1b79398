/** The bot's own calls to the platform's API, read as they pass: what they say about the user's wait. */
import type { Answer } from './wire.ts';

export type OwnCall =
  /** A message to the user. */
  | { is: 'send'; user: string }
  /** The bot's own indicator, switched on or off. */
  | { is: 'typing'; user: string; on: boolean };

/** What the platform said to it. */
export type Verdict =
  /** `messageId`: what the platform's later statuses call the message, where it names one. */
  | { is: 'accepted'; messageId: string | null }
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
