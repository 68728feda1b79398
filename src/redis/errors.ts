import { errorCodeOf } from '../core/wire.ts';

/**
 * What kind of error it is: the system's code (ECONNREFUSED…), or the word that Redis's own answer begins with. That word
 * is the protocol's (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors), but ioredis hands it
 * on only as the beginning of the error's text: NOSCRIPT, READONLY, MOVED, NOAUTH, NOPERM…
 */
export function errorWord(error: unknown): string {
  if (!(error instanceof Error)) return 'error';
  return errorCodeOf(error) ?? /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name;
}

/** Its keys are on another node of the Cluster now, or soon: whoever connects anew finds them. */
export const moving = ['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN'];

/** The user may not use that command, or a proxy does not know it: told where all commands are tried. */
export function isRefusal(error: unknown): boolean {
  return ['NOPERM', 'ERR'].includes(errorWord(error));
}

const full = ['OOM', 'MISCONF', 'NOREPLICAS'];

/** The right Redis takes no writes of that user, or of anybody: what it holds can still be read, and does not change. */
export function takesNoWrites(error: unknown): boolean {
  return full.includes(errorWord(error)) || isRefusal(error);
}

const passing = [...full, 'READONLY', 'LOADING', 'BUSY', 'CLUSTERDOWN', 'MASTERDOWN', 'UNBLOCKED'];

/** Redis takes nothing of the kind now, whoever asks: it is full, a replica, loading its data… */
export function isPassing(error: unknown): boolean {
  return passing.includes(errorWord(error));
}
