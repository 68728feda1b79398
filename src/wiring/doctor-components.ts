/** What the doctor looks at, of third-party platforms. */
import { randomUUID } from 'node:crypto';
import { fail, type Finding } from '../core/platform.ts';
import type { Check } from '../doctor/check.ts';
import { createKeptSecrets } from '../redis/kept-secrets.ts';
import { createSharedCache } from '../redis/shared-cache.ts';
import { askByItself, askService } from '../wechat/component-check.ts';
import { createComponentSecrets } from '../wechat/component-secrets.ts';
import { createComponentTokens } from '../wechat/component-tokens.ts';
import { isByItself, type WechatComponent } from '../wechat/component.ts';
import { openSeal } from './accounts.ts';
import type { CheckParts } from './doctor-checks.ts';

/** Its call has 3 s of its own; before it another process may be waited for (ms). */
const limitMs = 10_000;

export function componentChecks(parts: CheckParts): Check[] {
  return parts.config.components.map((component) => {
    const name = `component/${component.name}`;
    const run = async (): Promise<Finding[]> => {
      const found = await examineComponent(parts, component);
      return found.map((finding) => ({ ...finding, subject: `${name} ${finding.subject}` }));
    };
    return { subject: `${name} token`, limitMs, run };
  });
}

async function examineComponent(parts: CheckParts, component: WechatComponent): Promise<Finding[]> {
  const { config, clients, clock, log, redis } = parts;
  const deps = { send: clients.messages.send, clock, log };
  if (!isByItself(component)) return askService(component, deps);
  const seal = openSeal(config);
  if (!seal) return [fail('configuration', { says: 'this component is skipped', remedy: withoutKey })];
  if (!redis)
    return [fail('token', { says: 'its ticket is in Redis, which is not reached', remedy: 'Mend Redis.' })];
  const secrets = createComponentSecrets(component.appId, {
    kept: createKeptSecrets(redis),
    seal,
    now: clock.now,
  });
  const cache = createSharedCache(redis, randomUUID);
  return askByItself(createComponentTokens(component, { ...deps, cache, seal, secrets }).own);
}

const withoutKey =
  'It refreshes tokens by itself: set ACCOUNTS_KEY, with which its secrets are closed in Redis.';
