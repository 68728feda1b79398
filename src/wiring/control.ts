import { lookup } from 'node:dns/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Router } from 'express';
import { z } from 'zod';
import { createDirectory } from '../accounts/put.ts';
import { urlFaults } from '../accounts/urls.ts';
import { describeAccount, runtimeFields, secretFields, urlFields } from '../config/accounts.ts';
import type { Account, Skipped } from '../config/index.ts';
import {
  authorizerRoutes,
  componentRoutes,
  createAuthorizerControl,
  createComponentControl,
} from '../control/components.ts';
import { createControl } from '../control/control.ts';
import type { AccountRegister, AccountServes, AccountView, TypingNow } from '../control/operation.ts';
import { isChannel } from '../core/platform.ts';
import type { Place } from '../core/roster.ts';
import { operatorGuard } from '../http/guard.ts';
import { createConversations } from '../typing/conversations.ts';
import type { EventQueue } from '../typing/events.ts';
import type { Store } from '../typing/store.ts';
import type { Parts } from './parts.ts';

interface ControlParts {
  events: EventQueue;
  store: Store;
  /** Accounts of files that could not be loaded. */
  skipped: readonly Skipped[];
}

/** The control API, for whoever has the token; without one for nobody, but in the demo for this machine. */
export function openControl(parts: Parts, { events, store, skipped }: ControlParts): Router {
  const { learned, clock, log, components } = parts;
  const guard = operatorGuard(parts);
  const guessed = parts.guesses.at('control');
  const some = components.names.length > 0;
  const control = createControl({
    guard,
    guessed,
    accounts: parts.roster,
    conversations: createConversations({ store, events, learned, clock, standing: parts.standing }),
    standing: parts.standing,
    register: createAccountRegister(parts, skipped),
    bodies: { putAccount: z.union([runtimeFields.wechat, runtimeFields.nxcloud]) },
    log,
    more: some ? [componentRoutes, authorizerRoutes] : [],
  });
  if (some) {
    const served = { ...components, components: components.names, guard, guessed, log };
    control.use(createComponentControl(served), createAuthorizerControl(served));
  }
  return control;
}

/** Every account as the control API shows it, and the way to set one. */

function createAccountRegister(parts: Parts, skipped: readonly Skipped[]): AccountRegister {
  const { config, clock, learned } = parts;
  const { allowPrivateUrls: allowPrivate } = config;
  const { records, store, understanding, isConfigured } = parts.served;
  const directory = createDirectory({
    ...understanding,
    store,
    records,
    clock,
    isConfigured,
    keptOf: ({ channel }) => (isChannel(channel) ? secretFields[channel] : []),
    urlFaults: async ({ channel }, fields) =>
      isChannel(channel) ? urlFaults(fields, { urls: urlFields[channel], allowPrivate, resolve }) : [],
  });
  const list = async (): Promise<AccountView[]> => {
    await records.follow();
    return [
      ...config.accounts.map((account) => configuredView(parts, account)),
      ...skipped.map(skippedView),
      ...recordViews(parts),
    ];
  };
  return {
    list,
    read: async ({ channel, account }) => {
      const named = (await list()).filter((view) => view.channel === channel && view.account === account);
      // Several may bear a name; one of them is served.
      return named.find(({ serves }) => serves !== null) ?? named[0] ?? null;
    },
    put: async (place, fields) => {
      const put = await directory.put(place, fields);
      if (put.is === 'created' || put.is === 'updated') await learned.tryAgain(place);
      return put;
    },
    tryAgain: (place) => learned.tryAgain(place),
    remove: (place) => directory.remove(place),
  };
}

/** A resolver that hangs must not hold up whoever sets an account: the connection is looked at once more (ms). */
const resolveMs = 2_000;

async function resolve(name: string): Promise<readonly string[]> {
  const found = lookup(name, { all: true }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  );
  return Promise.race([found, delay(resolveMs, [], { ref: false })]);
}

function configuredView(parts: Parts, account: Account): AccountView {
  const { channel, name } = account;
  const source = parts.config.fromEnvironment.includes(`${channel}/${name}`) ? 'environment' : 'files';
  const serves = servesOf(parts, account);
  return { channel, account: name, source, state: 'ok', reason: null, serves };
}

function skippedView({ account: id, reason }: Skipped): AccountView {
  const [channel = '', account = ''] = id.split('/');
  return { channel, account, source: 'files', state: 'faulty', reason, serves: null };
}

function recordViews(parts: Parts): AccountView[] {
  const inUse = [...parts.served.records.all().values()].filter(({ removedAt }) => removedAt === null);
  return inUse.map(({ place, account, fault }) => ({
    channel: place.channel,
    account: place.account,
    source: 'record',
    state: fault === null ? 'ok' : 'faulty',
    reason: fault,
    serves: account && servesOf(parts, account),
  }));
}

function servesOf(parts: Parts, account: Account): AccountServes {
  const place = { channel: account.channel, account: account.name };
  return { typing: typingOf(parts, place, account), ...describeAccount(account) };
}

function typingOf({ learned, clock }: Parts, place: Place, { rules }: Account): TypingNow {
  if (rules.mode === 'off') return { is: 'off', reason: 'mode_off', until: null, code: null, remedy: null };
  const { offUntil, offCode: code, remedy } = learned.of(place);
  return clock.now() < offUntil
    ? { is: 'off', reason: 'no_permission', until: Math.round(offUntil), code, remedy }
    : { is: 'on' };
}

/** What `/readyz?verbose` says of the accounts that were set at run time. */
export function faultyRecords({ served }: Pick<Parts, 'served'>): Skipped[] {
  return [...served.records.all()].flatMap(([account, { fault, removedAt }]) =>
    fault === null || removedAt !== null ? [] : [{ account, reason: fault }],
  );
}
