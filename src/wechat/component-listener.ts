/** What follows from an authorization event. */
import type { Clock, Log } from '../core/ports.ts';
import type { ComponentEvent } from './component-events.ts';
import type { ComponentSecrets } from './component-secrets.ts';
import type { KeptTokens } from './token.ts';

export interface ListenerDeps {
  /** The component's name, for the log. */
  name: string;
  /** null: the vendor's own service keeps the tokens, and an exchanged code would be lost to it. */
  secrets: ComponentSecrets | null;
  tokensOf: (appId: string) => Pick<KeptTokens, 'get' | 'forget'>;
  /** Hears what changed. Never throws. */
  told: (news: News) => void;
  clock: Clock;
  log: Log;
}

/** `withdrawn`: the account can be typed for no more; `granted`: it can again. */
export type News = { is: 'ticket' } | { is: 'granted' | 'withdrawn'; appId: string };

/** Redis may be away for as long; WeChat does not say that it tells of an authorization twice (ms). */
const pauses = [1_000, 5_000, 15_000, 60_000, 300_000];
/** With nothing to hold it against, an older word of a withdrawal may be a replay (ms). */
const staleMs = 60 * 60_000;
/** Of a code whose end is not said. */
const codeMs = 60 * 60_000;
const codeMostMs = 24 * 60 * 60_000;

/** Takes events. Resolves when the first try to keep them is over; further ones follow by themselves. Never throws. */
export function createListener(deps: ListenerDeps): (event: ComponentEvent) => Promise<void> {
  return async (event) => {
    const failed = await tryOnce(deps, event);
    if (failed) void tryOn(deps, event);
  };
}

async function tryOnce(deps: ListenerDeps, event: ComponentEvent): Promise<boolean> {
  try {
    await take(deps, event);
    return false;
  } catch {
    return true;
  }
}

async function tryOn(deps: ListenerDeps, event: ComponentEvent): Promise<void> {
  for (const pause of pauses) {
    await deps.clock.sleep(pause);
    if (!(await tryOnce(deps, event))) return;
  }
  deps.log.error(
    { component: deps.name, event: event.is },
    'An authorization event could not be kept: Redis was out of reach.',
  );
}

async function take({ secrets, told, clock, ...deps }: ListenerDeps, event: ComponentEvent): Promise<void> {
  switch (event.is) {
    case 'ticket':
      await secrets?.keepTicket({ secret: event.ticket, at: event.at });
      return told({ is: 'ticket' });
    case 'authorized': {
      const { appId, code: secret, at, expiresAt } = event;
      const ttlMs = (expiresAt ?? clock.now() + codeMs) - clock.now();
      const held = await secrets?.refreshToken(appId);
      if (ttlMs <= 0 || (held && held.at > at)) return;
      await secrets?.keepCode(appId, { secret, at }, Math.min(ttlMs, codeMostMs));
      deps.log.info({ component: deps.name, appId }, 'An account has authorised the third-party platform.');
      // A replayed word of it has a code that WeChat refuses.
      void fetchAnew(deps, appId).then((isRefused) => isRefused || told({ is: 'granted', appId }));
      return;
    }
    case 'unauthorized': {
      const stands = secrets
        ? await secrets.withdraw(event.appId, event.at)
        : clock.now() - event.at < staleMs;
      if (!stands) return;
      await deps.tokensOf(event.appId).forget();
      return told({ is: 'withdrawn', appId: event.appId });
    }
    case 'other':
      return;
  }
}

/**
 * At once: a code is short-lived, and it is exchanged when the next token is fetched. Resolves with whether WeChat gave
 * none. Never throws.
 */
async function fetchAnew({ tokensOf }: Pick<ListenerDeps, 'tokensOf'>, appId: string): Promise<boolean> {
  const tokens = tokensOf(appId);
  await tokens.forget();
  return (await tokens.get()).is === 'token-refused';
}
