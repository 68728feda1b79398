/** A value for each setting that there is, and for each that there will be. */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { asJsonSchema } from '../../src/config/values.ts';

const values: unknown[] = [
  7,
  120_000,
  '777',
  '1234567',
  'b'.repeat(43),
  'https://sample.example/{appid}',
  'redis://sample',
  '/sample',
  'a sample of some length',
  'a-sample-without-spaces',
  { text: 'sample' },
  { isAiMessage: true },
  { lifetime: 7 },
  ['wx1111111111111111'],
];

/** One that it takes, other than its default and its first choice. */
export function sampleOf(schema: z.ZodType): unknown {
  const preset = schema.safeParse(undefined).data;
  const choices = [...(asJsonSchema(schema).enum ?? [])].toReversed();
  const taken = [...choices, ...values].find((value) => {
    const read = schema.safeParse(value);
    return read.success && !isDeepStrictEqual(read.data, preset);
  });
  if (taken === undefined) throw new Error('No value here is one for it: add one to test/config/samples.ts.');
  return taken;
}
