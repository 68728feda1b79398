/** Notices made by hand: one of each kind that there can be, by the types that the product has. */
import type { Notice } from '../../src/core/notice.ts';
import type { Channel } from '../../src/core/platform.ts';
import { all, evidences, kinds, outcomes, pauses, reasons, ways } from '../support/members.ts';

type Of<Is extends Notice['is']> = Extract<Notice, { is: Is }>;

export const channels = all<Channel>({ wechat: true, nxcloud: true });
const answers = all<Of<'bot'>['result']>({ answered: true, again: true, failed: true });
const queues = all<Of<'lag'>['queue']>({ typing: true, replies: true, wake: true });
const states = all<Of<'breaker'>['state']>({ closed: true, open: true, 'half-open': true });
const fetches = all<Of<'token'>['result']>({ renewed: true, refused: true, lost: true });
const tokens = all<Of<'guess'>['token']>({ control: true, metrics: true, gateway: true, login: true });
const pushes = all<Of<'push'>['result']>({ taken: true, unread: true, refused: true, stranger: true });

/** What each push's result is answered with. */
const statuses = { taken: [200], unread: [200], refused: [400, 401, 404, 413], stranger: [200] };

export const where = { at: 1_700_000_000_000, channel: 'wechat', account: 'shop' } as const;
export const whose = { ...where, user: 'oSecretUser' };
export const ended: Of<'ended'> = {
  ...whose,
  is: 'ended',
  turn: 'secret-turn',
  by: 'gateway',
  waitMs: 20_000,
  litMs: 19_000,
  firstMs: 21,
  untyped: null,
};

export function everyNotice(): Notice[] {
  return channels.flatMap((channel) => [...ofUsers(channel), ...ofAccounts(channel)]);
}

function ofUsers(channel: Channel): Notice[] {
  const user = { ...whose, channel };
  const turn = 'secret-turn';
  const code = 45015;
  return [
    ...[true, false].map((opensTurn): Notice => ({
      is: 'inbound',
      turn,
      messageId: 'secret-message',
      type: 'text',
      opensTurn,
      ...user,
    })),
    ...reasons.map((reason): Notice => ({ is: 'skipped', turn, reason, ...user })),
    ...kinds.flatMap((kind) =>
      outcomes.map((outcome): Notice => ({ is: 'call', kind, outcome, code, remedy: null, ms: 30, ...user })),
    ),
    ...evidences.map((by): Notice => ({ ...ended, ...user, by })),
    ...reasons.map((untyped): Notice => ({ ...ended, ...user, firstMs: null, litMs: 0, untyped })),
    { is: 'ghost', ms: 250, ...user },
    ...evidences.map((by): Notice => ({
      is: 'outbound',
      by,
      isMore: false,
      messageId: 'secret-message',
      ...user,
    })),
    ...pauses.flatMap((by) => [true, false].map((on): Notice => ({ is: 'handoff', on, by, ...user }))),
    ...ways.map((way): Notice => ({ is: 'delivery', turn, way, code: 0, job: 'secret-job', ...user })),
    ...answers.map((result): Notice => ({
      is: 'bot',
      turn,
      status: 200,
      result,
      ms: 9_000,
      overheadMs: 12,
      ...user,
    })),
  ];
}

function ofAccounts(channel: Channel): Notice[] {
  const account = { ...where, channel };
  return [
    ...pushes.flatMap((result) =>
      statuses[result].map((status): Notice => ({ is: 'push', result, status, ...account })),
    ),
    ...[true, false].map((waitedForShow): Notice => ({
      is: 'gateway',
      overheadMs: 0.7,
      waitedForShow,
      ...account,
    })),
    ...queues.map((queue): Notice => ({ is: 'lag', queue, ms: 4, at: where.at })),
    ...tokens.map((token): Notice => ({ is: 'guess', token, at: where.at })),
    ...states.map((state): Notice => ({ is: 'breaker', state, ...account })),
    ...fetches.map((result): Notice => ({ is: 'token', result, code: 40001, ...account })),
    { is: 'look', reason: 'The bot only acknowledges.', ...account },
    { is: 'refused', count: 3, reason: 'The signature does not match.', ...account },
    { is: 'account', typing: 'on', code: 0, remedy: null, ...account },
    { is: 'account', typing: 'off', code: 48001, remedy: 'Ask for it.', ...account },
  ];
}
