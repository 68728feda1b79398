/** An hour of a small company with a slow bot, as the console would tell it. */
import type { Channel, Conversation } from '../../src/core/platform.ts';
import { setFailed } from './page-server.ts';
import { accountRow, darken, light, setRow, tell, wait, type World } from './page-world.ts';

const certify = 'Typing and custom messages need a certified account: certify it or set WECHAT_TYPING=off.';
const allowlist = "Add this server's egress IP to the IP allowlist in the WeChat console.";

export function fillDay(world: World, at = Date.now()): void {
  world.overview.accounts = accountsAt(at);
  world.overview.waits.counts = [2, 9, 48, 131, 118, 86, 96, 24, 13, 6, 2, 1, 0, 0, 0];
  world.overview.covers.counts = [11, 1, 2, 0, 4, 6, 3, 9, 17, 38, 121, 322];
  world.overview.untyped = [
    { reason: 'answered_first', count: 31 },
    { reason: 'window_closed', count: 12 },
    { reason: 'no_permission', count: 9 },
    { reason: 'event_kind', count: 7 },
    { reason: 'paused', count: 3 },
  ];
  world.overview.journalFrom = at - 22 * 3_600_000;
  world.failed = [
    failedJob('4711', { at: at - 460_000, reason: 'The bot did not answer within 120 s.', unknown: false }),
    failedJob('4688', {
      at: at - 2_900_000,
      reason: 'The send had no answer: outcome unknown.',
      unknown: true,
    }),
  ];
  setFailed(world);
  for (const [index, user] of users.entries()) {
    const conversation = who(index % 3 === 2 ? 'nxcloud' : 'wechat', user);
    const since = at - (47 - index * 4) * 1_000;
    wait(world, conversation, since);
    light(world, conversation, { at: since + 140 });
    if (index === 0) darken(world, conversation, 'window_closed');
    if (index === 4) setRow(world, conversation, { indicator: { is: 'maybe', since, until: at + 9_000 } });
  }
}

export const users = [
  'oK3d5wVq7ZtLbn2c8xYpR1aTfM',
  'oK3d5wPz91hQmX6yEjSgUv0rWc',
  '8613800138000',
  'oK3d5wB4nHt8LkVw2DqCzYx7Es',
  'oK3d5wJr0aGfTn5MiPbXo9QlRe',
  '447700900123',
  'oK3d5wSx6cKeNv3WuZhAy1FdOt',
];

function who(channel: Channel, user: string): Conversation {
  return { channel, account: channel === 'wechat' ? 'shop' : 'sales', user };
}

function failedJob(job: string, rest: { at: number; reason: string; unknown: boolean }) {
  const user = users[0] ?? '';
  return { job, channel: 'wechat', account: 'shop', user, turn: `${user}-24101234567890123`, ...rest };
}

function accountsAt(at: number) {
  return [
    accountRow(
      { channel: 'wechat', account: 'shop' },
      {
        open: 5,
        lit: 4,
        callsPerMinute: 21,
        turns: 412,
        waitP50: 11.4,
        waitP95: 31.2,
        cover: 0.957,
        refusals: [
          { code: 45080, outcome: 'window-closed', count: 12, remedy: null },
          { code: 0, outcome: 'lost', count: 2, remedy: null },
        ],
        ends: [
          { by: 'passive-reply', count: 371 },
          { by: 'gateway', count: 36 },
          { by: 'handoff', count: 3 },
        ],
      },
    ),
    accountRow(
      { channel: 'wechat', account: 'service' },
      {
        turns: 9,
        waitP50: 4.1,
        waitP95: 12.8,
        cover: 0,
        refusals: [{ code: 48001, outcome: 'account-off', count: 1, remedy: certify }],
        typing: { is: 'off', until: at + 41 * 60_000, code: 48001, remedy: certify },
        ends: [{ by: 'passive-reply', count: 9 }],
        bot: 'pass',
      },
    ),
    accountRow(
      { channel: 'nxcloud', account: 'sales' },
      {
        open: 2,
        lit: 2,
        callsPerMinute: 6,
        turns: 115,
        waitP50: 14.9,
        waitP95: 44.7,
        cover: 0.982,
        ends: [
          { by: 'status', count: 108 },
          { by: 'deadline', count: 2 },
        ],
      },
    ),
  ];
}

/** One long wait with everything in it: for a look at its timeline. */
export function tellLongWait(world: World, conversation: Conversation, from: number): string {
  const turn = `${conversation.user}-24101234567890123`;
  const base = { ...conversation, turn };
  const call = { is: 'call', kind: 'show', ...conversation } as const;
  const done = { outcome: 'done', code: 0, remedy: null } as const;
  tell(world, {
    is: 'inbound',
    at: from,
    messageId: '24101234567890123',
    type: 'text',
    opensTurn: true,
    ...base,
  });
  tell(world, { ...call, ...done, at: from + 140, ms: 86 });
  tell(world, { ...call, ...done, at: from + 15_290, ms: 91 });
  tell(world, { ...call, at: from + 30_440, outcome: 'window-closed', code: 45080, remedy: null, ms: 77 });
  tell(world, {
    is: 'bot',
    at: from + 38_100,
    status: 200,
    result: 'answered',
    ms: 37_900,
    overheadMs: 3,
    ...base,
  });
  tell(world, { is: 'delivery', at: from + 38_320, way: 'sent', code: 0, job: null, ...base });
  tell(world, {
    is: 'ended',
    at: from + 38_330,
    by: 'passive-reply',
    waitMs: 38_330,
    litMs: 30_150,
    firstMs: 140,
    untyped: null,
    ...base,
  });
  return turn;
}

/** A message whose account may not type. */
export function tellUntyped(world: World, conversation: Conversation, from: number): string {
  const turn = `${conversation.user}-24101234567890999`;
  const base = { ...conversation, turn };
  tell(world, {
    is: 'inbound',
    at: from,
    messageId: '24101234567890999',
    type: 'image',
    opensTurn: true,
    ...base,
  });
  tell(world, {
    is: 'call',
    at: from + 120,
    kind: 'show',
    outcome: 'account-off',
    code: 40164,
    remedy: allowlist,
    ms: 61,
    ...conversation,
  });
  tell(world, { is: 'delivery', at: from + 4_010, way: 'inline', code: 0, job: null, ...base });
  tell(world, {
    is: 'ended',
    at: from + 4_020,
    by: 'passive-reply',
    waitMs: 4_020,
    litMs: 0,
    firstMs: null,
    untyped: 'no_permission',
    ...base,
  });
  return turn;
}
