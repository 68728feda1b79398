/** wire.ts as what can be checked; nothing more may be sent. */
import { z } from 'zod';

const time = z.int();
const count = z.int().min(0);
const share = z.number().min(0).max(1);
const distribution = z
  .strictObject({ bounds: z.array(z.number()), counts: z.array(count) })
  .refine(({ bounds, counts }) => counts.length === bounds.length + 1);

export const overview = z.strictObject({
  at: time,
  redis: z.enum(['ok', 'full', 'unwritable', 'readonly', 'refusing', 'away']),
  live: z.boolean(),
  workers: z.enum(['alive', 'standby', 'none']),
  accounts: z.array(
    z.strictObject({
      channel: z.string(),
      account: z.string(),
      open: count,
      lit: count,
      callsPerMinute: count,
      turns: count,
      waitP50: z.number().nullable(),
      waitP95: z.number().nullable(),
      cover: share.nullable(),
      refusals: z.array(
        z.strictObject({ code: z.int(), outcome: z.string(), count, remedy: z.string().nullable() }),
      ),
      typing: z.discriminatedUnion('is', [
        z.strictObject({ is: z.literal('on') }),
        z.strictObject({ is: z.literal('mode_off') }),
        z.strictObject({ is: z.literal('off'), until: time, code: z.int(), remedy: z.string().min(1) }),
        z.strictObject({ is: z.literal('trying'), code: z.int(), remedy: z.string().min(1) }),
      ]),
      breaker: z.enum(['closed', 'open', 'half-open']),
      bot: z.enum(['job', 'pass', 'none']),
      look: z.string().nullable(),
      impossible: count,
      more: count,
      botAnswered: count,
      botFailed: z.array(z.strictObject({ why: z.string(), count })),
      refused: z.array(z.strictObject({ reason: z.string().min(1), count })),
      ends: z.array(z.strictObject({ by: z.string(), count })),
    }),
  ),
  queues: z.array(
    z.strictObject({
      name: z.enum(['typing', 'replies']),
      waiting: count,
      active: count,
      delayed: count,
      failed: count,
    }),
  ),
  accountsInAll: count,
  skipped: z.array(z.strictObject({ account: z.string(), reason: z.string() })),
  waits: distribution,
  covers: distribution,
  untyped: z.array(z.strictObject({ reason: z.string(), count })),
  journalFrom: time.nullable(),
});

const turns = z.array(
  z.strictObject({
    id: z.string(),
    phase: z.enum(['working', 'acknowledged']),
    openedAt: time,
    shown: z.boolean(),
  }),
);
const indicator = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('dark') }),
  z.strictObject({ is: z.enum(['lit', 'maybe']), since: time, until: time }),
]);
const dark = z
  .strictObject({
    reason: z.string(),
    until: time.nullable(),
    code: z.int().nullable(),
    remedy: z.string().nullable(),
  })
  .nullable();

export const conversations = z.strictObject({
  changed: z.array(
    z.strictObject({
      id: z.string(),
      channel: z.string(),
      account: z.string(),
      user: z.string(),
      turns: turns.min(1),
      indicator,
      dark,
      pausedUntil: time.nullable(),
    }),
  ),
  gone: z.array(z.string()),
  open: count,
  shown: count,
});

const entry = z.strictObject({
  id: z.string().regex(/^\d+-\d+$/),
  notice: z.looseObject({ is: z.string(), at: time, channel: z.string(), account: z.string() }),
});

export const notices = z.array(entry).min(1);

export const searchAnswer = z.strictObject({ entries: z.array(entry), before: z.string().nullable() });

export const view = z.strictObject({
  turns,
  indicator,
  lastInteractionAt: time.nullable(),
  lastMessageId: z.string().nullable(),
  lastEnded: z.strictObject({ turn: z.string(), by: z.string(), at: time }).nullable(),
  sends: z.strictObject({ used: count, left: count.nullable() }),
  pausedUntil: time.nullable(),
  pausedBy: z.string().nullable(),
  dark,
});

export const failedJobs = z.array(
  z.strictObject({
    job: z.string(),
    at: time.nullable(),
    channel: z.string(),
    account: z.string(),
    user: z.string().nullable(),
    turn: z.string(),
    reason: z.string(),
    unknown: z.boolean(),
  }),
);
