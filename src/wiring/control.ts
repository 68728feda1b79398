import type { Router } from 'express';
import { createControl } from '../http/control.ts';
import { createGuard } from '../http/guard.ts';
import type { Accounts } from '../http/served.ts';
import { createConversations } from '../queue/conversations.ts';
import type { EventQueue } from '../queue/events.ts';
import type { Store } from '../queue/store.ts';
import type { Parts } from './parts.ts';

export interface ControlParts {
  events: EventQueue;
  store: Store;
  served: Accounts;
}

/** The control API, for whoever has the token; without one for this machine, and in production for nobody. */
export function openControl(parts: Parts, { events, store, served }: ControlParts): Router {
  const { config, accounts, clock, log } = parts;
  return createControl({
    guard: createGuard({ tokens: config.controlTokens, open: config.production ? 'never' : 'loopback' }),
    accounts: served,
    conversations: createConversations({ store, events, accounts, clock }),
    log,
  });
}
