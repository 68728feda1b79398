/** What a page may ask, read from the wire. */
import { z } from 'zod';
import { channels, troubles } from './world.ts';

/** In ms. */
export const thinking = { least: 1_000, most: 90_000 } as const;
const longest = 500;

/** What no keyboard types; XML cannot hold it. */
const unprintable = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]+/gu;

export const messageBody = z.object({
  channel: z.enum(channels),
  text: z
    .string()
    .transform((text) => text.replace(unprintable, ' ').trim())
    .refine((text) => text.length > 0 && text.length <= longest),
  thinkMs: z.number().int().min(thinking.least).max(thinking.most),
});

export const troubleBody = z.object({ trouble: z.enum(troubles) });
