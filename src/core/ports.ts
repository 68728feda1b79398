import type { Said } from './said.ts';

/**
 * What has to outlive every process (Redis), by name. It is given closed and comes back closed ({@link Seal}). Every
 * member rejects when it is out of reach.
 */
export interface KeptSecrets {
  read(name: string): Promise<string | null>;
  /** `ttlMs` null: for ever. */
  write(name: string, value: string, ttlMs: number | null): Promise<void>;
  /** Puts `to` where `from` stands, for as long as that had left. Resolves with whether `to` stands now: also where it did already. */
  replace(name: string, change: { from: string; to: string }): Promise<boolean>;
  drop(name: string): Promise<void>;
  /** All that begin so. */
  names(start: string): Promise<string[]>;
}

/** Time, passed in. `now` is ms since 1970 on Redis's clock, so that all processes agree. */
export interface Clock {
  now: () => number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Where anything writes a line. Fields hold ids and outcomes, never a secret or a message body. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A process cannot start. Its sentence says all: where it was thrown is of no use to anybody. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/**
 * How Redis stands, the one truth that page, metric, log and answer tell. `full`: it takes no writes for want of memory;
 * `unwritable`: none for another reason; `readonly`: it is a replica; `refusing`: commands that are used.
 */
export interface Standing {
  is: 'ok' | 'full' | 'unwritable' | 'readonly' | 'refusing' | 'away';
  /** In a sentence, with the remedy; null: all is well. */
  says: Said | null;
}

export const standsWell: Standing = { is: 'ok', says: null };

/** Keeps secrets closed while they lie in Redis. `purpose` says what a secret is for: one cannot stand in for another. */
export interface Seal {
  seal(secret: string, purpose: string): string;
  /** null: it was closed by a key that is not known here, for another purpose, or it was changed. */
  open(sealed: string, purpose: string): string | null;
}

/** A small cache that all processes share (Redis). Every member may reject when it is out of reach. */
export interface SharedCache {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Deletes the key only while it still holds this value. */
  drop(key: string, value: string): Promise<void>;
  /** Takes a lock that frees itself after `ttlMs`. Resolves with a token to release it, or null when another holds it. */
  lock(key: string, ttlMs: number): Promise<string | null>;
  unlock(key: string, token: string): Promise<void>;
}
