/** A third-party platform as a process serves it: its events, and its authorizers, made when they are first named. */
import type { WechatAccount } from '../account.ts';
import type { Platform } from '../../core/platform.ts';
import type { KeptSecrets, Seal } from '../../core/ports.ts';
import type { Rules } from '../../core/rules.ts';
import { createWechat, type WechatDeps } from '../index.ts';
import { createAccessTokens, type KeptTokens } from '../token.ts';
import { authorizerOf, isByItself, type WechatComponent } from './component.ts';
import { createComponentEvents, createListener, type News, switchOf, type TypingSwitch } from './events.ts';
import { type ComponentSecrets, createComponentSecrets } from './secrets.ts';
import { createComponentTokens } from './tokens.ts';

interface LiveComponentDeps extends Omit<WechatDeps, 'tokens'> {
  /** Where what it needs for refreshing by itself is kept, closed; null where a token service is asked. */
  safe: { kept: KeptSecrets; seal: Seal } | null;
  /** The authorizer's mode as it stands now. */
  modeOf: (appId: string) => Rules['mode'];
  /** Hears whose typing goes off or on. Never throws. */
  told: (change: TypingSwitch) => void;
}

export interface LiveComponent {
  events: Platform;
  /** A new platform for the account at each call. `proved` is called when WeChat has pushed for it. */
  authorizer(appId: string, proved?: () => void): Platform;
  /** Takes a refresh token that somebody else got. Rejects when Redis is out of reach. null: a token service has them. */
  keepRefreshToken: ((appId: string, token: string) => Promise<void>) | null;
}

/** @throws Error when it is to refresh by itself and has nowhere safe to keep what it needs */
export function createLiveComponent(component: WechatComponent, deps: LiveComponentDeps): LiveComponent {
  const { clock, log, modeOf, safe } = deps;
  const told = (news: News): void => deps.told(switchOf(component.name, news));
  const own = isByItself(component) ? openSafe(component, safe, deps) : null;
  const tokensOf = (account: WechatAccount): KeptTokens =>
    own ? own.tokens.of(account.appId) : createAccessTokens(account, deps);
  const secrets = own?.secrets ?? null;
  const hear = createListener({
    name: component.name,
    secrets,
    tokensOf: (appId) => tokensOf(authorizerOf(component, appId)),
    told,
    clock,
    log,
  });
  return {
    events: createComponentEvents(component, { now: clock.now, hear }),
    authorizer: (appId, proved) => {
      const account = authorizerOf(component, appId);
      const platform = createWechat(account, { ...deps, tokens: tokensOf(account) });
      return {
        ...platform,
        async receive(push, isAdmitted) {
          const received = await platform.receive(push, isAdmitted);
          if (received.is === 'push') proved?.();
          return received;
        },
        get rules() {
          return { ...platform.rules, mode: modeOf(appId) };
        },
      };
    },
    keepRefreshToken:
      secrets &&
      (async (appId, secret) => {
        await secrets.keepRefreshToken(appId, { secret, at: clock.now() });
        await tokensOf(authorizerOf(component, appId)).forget();
        told({ is: 'granted', appId });
      }),
  };
}

function openSafe(component: WechatComponent, safe: LiveComponentDeps['safe'], deps: LiveComponentDeps) {
  if (!safe)
    throw new Error(
      'it refreshes tokens by itself, and its secrets may not lie in Redis open: set ACCOUNTS_KEY, or authorizerTokenUrl',
    );
  const secrets: ComponentSecrets = createComponentSecrets(component.appId, { ...safe, now: deps.clock.now });
  return { secrets, tokens: createComponentTokens(component, { ...deps, seal: safe.seal, secrets }) };
}
