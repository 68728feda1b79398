/** What the control API answers of accounts. */
import { z } from 'zod';
import { time } from './control-schemas.ts';

const typingNow = z.discriminatedUnion('is', [
  z.object({ is: z.literal('on') }),
  z.object({
    is: z.literal('off'),
    reason: z.enum(['mode_off', 'no_permission']),
    until: time.nullable(),
    code: z.int().nullable(),
    remedy: z.string().nullable(),
  }),
]);

export const accountView = z.object({
  channel: z.enum(['wechat', 'nxcloud', 'component']).describe('component: a third-party platform.'),
  account: z.string(),
  source: z.enum(['environment', 'files', 'record']).describe('record: set at run time.'),
  state: z.enum(['ok', 'faulty']),
  reason: z.string().nullable().describe('What is wrong with it.'),
  serves: z
    .object({
      typing: typingNow,
      fields: z.record(z.string(), z.unknown()).describe('URLs without user, password and query.'),
      secrets: z.record(z.string(), z.enum(['set', 'unset'])),
    })
    .nullable()
    .describe('null: it is not served. A faulty one that is goes on as it was before.'),
});

export const accountList = z.object({ accounts: z.array(accountView) });
