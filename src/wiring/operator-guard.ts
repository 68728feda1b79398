import type { Place } from '../core/roster.ts';
import { createGuard, type Guard } from '../http/guard.ts';
import type { Parts } from './parts.ts';

/** Where the use of CONTROL_TOKEN_PREVIOUS is noted. */
export const controlToken: Place = { channel: 'control', account: 'token' };

/**
 * Whoever has the control token; without one this machine, and in production nobody.
 * @param options.open Nobody without a token, where there is another one to ask for.
 */
export function operatorGuard(
  { config, saw }: Pick<Parts, 'config' | 'saw'>,
  { open = config.production ? 'never' : 'loopback' }: { open?: 'never' | 'loopback' } = {},
): Guard {
  const sawPrevious = (): void => saw(controlToken, ['previous-secret']);
  return createGuard({ tokens: config.controlTokens, open, sawPrevious });
}
