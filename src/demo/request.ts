/** What a page may ask, read from the wire. */
import type { IncomingMessage } from 'node:http';
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

const bodyLimit = 8_192;

/**
 * The JSON value of a body; undefined for anything else. A form of another site can send no `application/json`.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > bodyLimit) return undefined;
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
