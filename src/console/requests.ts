/** What the page may ask, read from the wire. */
import { z } from 'zod';

const time = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number)
  .optional();

export const searchQuery = z.object({
  // A phone number's "+" stands in no push.
  q: z
    .string()
    .trim()
    .max(256)
    .transform((q) => q.replace(/^\+/, ''))
    .optional(),
  from: time,
  to: time,
  before: z
    .string()
    .regex(/^\d{1,15}-\d{1,15}$/)
    .optional(),
});

/** As the control API takes it. */
export const userName = /^[\w@.=-]{1,131}$/;

export const sessionBody = z.object({ token: z.string().min(1).max(1_000) });

/** As the control API takes it: up to a year. */
export const pauseBody = z.object({ seconds: z.int().min(1).max(31_536_000).optional() });

export const retryBody = z.object({ unknown: z.boolean().optional() });

export const emptyBody = z.object({});
