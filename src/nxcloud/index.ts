/** WhatsApp through NXCloud (牛信云), as a {@link Platform}. */
import type { Assurance, Platform, Received, Refusal } from '../core/platform.ts';
import { createInterimTexts } from '../core/bot.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Rules } from '../core/rules.ts';
import { said, type Said } from '../core/said.ts';
import { type Answer, type Fields, oncePer, type RawPush, type Send } from '../core/wire.ts';
import type { NxcloudAccount } from './account.ts';
import { explain } from './codes.ts';
import {
  appIdOf,
  businessPhoneOf,
  entriesOf,
  happeningsOf,
  nobody,
  parseFields,
  pushKeyOf,
  type Reading,
  refer,
} from './message.ts';
import { createOwnCalls } from './own-calls.ts';
import { phoneOf, spelled } from './people.ts';
import { nxcloudRules } from './rules.ts';
import { followSignature, isSigned, verify, verifyHead } from './signature.ts';
import { show } from './typing-api.ts';

/** Types that a bot answers. Not `reaction`, `system`, `unsupported`: "only … if you are going to respond" (Meta). */
const openers = [
  'text',
  'image',
  'video',
  'voice',
  'audio',
  'document',
  'location',
  'sticker',
  'contacts',
  'button',
  'interactive',
  'order',
  'referral',
];

/** NXCloud takes HTTP 200 for taken; its users answer `{}` as well as `success`. */
const acknowledgement: Answer = {
  status: 200,
  headers: [['Content-Type', 'application/json']],
  body: new TextEncoder().encode('{}'),
};

interface NxcloudDependencies {
  /** Makes the typing calls, on connections that no message needs. */
  typing: Send;
  clock: Clock;
  log: Log;
  /** What its pushes have shown. @default nothing is known, or noted */
  assurance?: Assurance;
}

/**
 * One NXCloud app. It has no `hide` (WhatsApp has no such call), no `sendLate` (webhook answers hold no message) and no
 * `handshake`.
 * @throws Error when the account has no access secret.
 */
export function createNxcloud(account: NxcloudAccount, dependencies: NxcloudDependencies): Platform {
  if (!account.accessSecrets[0]) {
    throw new Error(
      `nxcloud account "${account.name}": accessSecret is missing, copy it from the NXCloud console.`,
    );
  }
  const reading: Reading = {
    carryPhone: account.businessPhone === null,
    opensTurn: createStarts(account.starts),
    templateEnds: account.templates === 'answer',
    groups: account.groups === 'conversation',
  };
  const { assurance, ...rest } = dependencies;
  const api = { account, ...rest };
  const isAsked = (): boolean => assurance?.isAsked() ?? false;
  return {
    channel: 'nxcloud',
    account: account.name,
    rules: rulesOf(account),
    learnsAfterAck: account.afterAck === 'auto',
    needsMessageId: true,
    acknowledgement,
    perMinute: { signed: account.messagesPerMinute, unsigned: account.unsignedPerMinute },
    ownCalls: createOwnCalls(account, createInterimTexts(account.noAnswers)),
    marks: (push) => marksOf(fieldsOf(push) ?? {}, account),
    admit: (head) => refusalOf(verifyHead(head, account, isAsked())),
    follow: (head) => {
      const following = followSignature(head, account);
      return following && { add: (chunk) => following.add(chunk), end: () => refusalOf(following.end()) };
    },
    receive: async (push) => {
      const received = receive(push, account, { ...reading, isAsked: isAsked() });
      if (received.is === 'push' && received.assured) assurance?.note();
      return received;
    },
    show: (target) => show(api, target),
    explain,
    spell: (user) => spelled(user.replace(/^\+/, '')),
    refer: (_, messageId, known) => refer(messageId, known),
    readAnswer: () => Promise.resolve({ is: 'acknowledgement' }),
  };
}

function rulesOf({ afterAck, rules }: NxcloudAccount): Rules {
  return { ...nxcloudRules, ...(afterAck === 'auto' ? {} : { afterAck }), ...rules };
}

/** Names compare without case. A Map: a type named "constructor" must find nothing. */
function createStarts(overrides: NxcloudAccount['starts']): (type: string) => boolean {
  const starts = new Map(openers.map((type) => [type, true]));
  for (const [type, start] of Object.entries(overrides)) starts.set(type.toLowerCase(), start);
  return (type) => starts.get(type.toLowerCase()) ?? false;
}

/** Every account of a URL without a name looks at the same push. */
const fieldsOf = oncePer((push: RawPush) => parseFields(push.body));

function refusalOf(forged: Said | null): Refusal | null {
  return forged === null ? null : { is: 'refusal', status: 401, error: forged };
}

function receive(push: RawPush, account: NxcloudAccount, reading: Reading & { isAsked: boolean }): Received {
  const forged = refusalOf(verify(push, account, reading.isAsked));
  if (forged !== null) return forged;
  const body = fieldsOf(push);
  if (body === null) {
    return {
      is: 'refusal',
      status: 400,
      error: said('The body is not a JSON object: send it as NXCloud does.'),
    };
  }
  if (marksOf(body, account) === null) return { is: 'stranger', who: strangerOf(body) };
  const entries = entriesOf(body);
  const read =
    entries > account.pushMessages
      ? { key: pushKeyOf({}, push.body), happenings: [], excess: entries }
      : { key: pushKeyOf(body, push.body), happenings: happeningsOf(body, reading) };
  const isOurs = isSigned(push, account);
  return {
    is: 'push',
    ...read,
    ...(isOurs ? {} : { unsigned: true }),
    ...(isByPrevious(push, account) ? { byPrevious: true } : {}),
    // What the doctor signs says nothing of what NXCloud does.
    ...(isOurs && read.happenings.some(({ user }) => user !== nobody) ? { assured: true } : {}),
  };
}

/** How many of the account's marks the push has; null: it has another one. What it does not name is no mark. */
function marksOf(body: Fields, { businessPhone, appId }: NxcloudAccount): number | null {
  const pairs = [
    [businessPhone && phoneOf(businessPhone), businessPhoneOf(body)],
    [appId, appIdOf(body)],
  ].filter(([own, named]) => own !== null && named !== null);
  return pairs.every(([own, named]) => own === named) ? pairs.length : null;
}

function strangerOf(body: Fields): string {
  const app = appIdOf(body);
  const who = businessPhoneOf(body) ?? 'no business phone';
  return app === null ? who : `${who} of app ${app}`;
}

function isByPrevious(push: RawPush, account: NxcloudAccount): boolean {
  const [current, ...previous] = account.accessSecrets;
  return previous.length > 0 && verify(push, { ...account, accessSecrets: [current ?? ''] }, false) !== null;
}
