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
