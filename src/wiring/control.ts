import type { Router } from 'express';
import { z } from 'zod';
import type { Skipped } from '../config/index.ts';
import { runtimeFields } from '../config/runtime.ts';
import {
  authorizerRoutes,
  componentRoutes,
  createAuthorizerControl,
  createComponentControl,
} from '../control/components.ts';
import { createControl } from '../control/control.ts';
import { createConversations } from '../typing/conversations.ts';
import type { EventQueue } from '../typing/events.ts';
import type { Store } from '../typing/store.ts';
import { createAccountRegister } from './account-register.ts';
import { operatorGuard } from './operator-guard.ts';
import type { Parts } from './parts.ts';

export interface ControlParts {
  events: EventQueue;
  store: Store;
  /** Accounts of files that could not be loaded. */
  skipped: readonly Skipped[];
}

/** The control API, for whoever has the token; without one for this machine, and in production for nobody. */
export function openControl(parts: Parts, { events, store, skipped }: ControlParts): Router {
  const { accounts, clock, log, components } = parts;
  const guard = operatorGuard(parts);
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
