/** Keeps secrets closed while they lie in Redis. `purpose` says what a secret is for: one cannot stand in for another. */
export interface Seal {
  seal(secret: string, purpose: string): string;
  /** null: it was closed by a key that is not known here, for another purpose, or it was changed. */
  open(sealed: string, purpose: string): string | null;
}
