import type { Router } from 'express';
import { z } from 'zod';
import type { Place } from '../core/sight.ts';
import { authorizerRoutes, createAuthorizerControl } from '../http/component-authorizers.ts';
import { componentRoutes, createComponentControl } from '../http/component-control.ts';
import { runtimeFields } from '../config/runtime.ts';
import type { Skipped } from '../config/index.ts';
import { createControl } from '../http/control.ts';
import { createGuard } from '../http/guard.ts';
import { createConversations } from '../queue/conversations.ts';
import type { EventQueue } from '../queue/events.ts';
import type { Store } from '../queue/store.ts';
import { createAccountRegister } from './account-register.ts';
import type { Parts } from './parts.ts';

/** Where the use of CONTROL_TOKEN_PREVIOUS is noted. */
export const controlToken: Place = { channel: 'control', account: 'token' };

export interface ControlParts {
  events: EventQueue;
  store: Store;
  /** Accounts of files that could not be loaded. */
  skipped: readonly Skipped[];
}

/** The control API, for whoever has the token; without one for this machine, and in production for nobody. */
export function openControl(parts: Parts, { events, store, skipped }: ControlParts): Router {
  const { config, accounts, clock, log, saw, components } = parts;
  const guard = createGuard({
    tokens: config.controlTokens,
    open: config.production ? 'never' : 'loopback',
    sawPrevious: () => saw(controlToken, ['previous-secret']),
  });
  const some = components.names.length > 0;
  const control = createControl({
    guard,
    accounts: parts.roster,
    conversations: createConversations({ store, events, accounts, clock }),
    register: createAccountRegister(parts, skipped),
    bodies: { putAccount: z.union([runtimeFields.wechat, runtimeFields.nxcloud]) },
    log,
    more: some ? [componentRoutes, authorizerRoutes] : [],
  });
  if (some) {
    const served = { ...components, components: components.names, guard, log };
    control.use(createComponentControl(served), createAuthorizerControl(served));
  }
  return control;
}
