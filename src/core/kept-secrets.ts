/**
 * What has to outlive every process (Redis), by name. It is given closed and comes back closed (core/seal.ts). Every
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
