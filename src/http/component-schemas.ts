/** What is said and asked about typing behind a third-party platform, as schemas. */
import { z } from 'zod';
import { appIdPattern } from '../core/authorizer.ts';

const appId = z
  .string({ error: 'must be an AppID' })
  .regex(appIdPattern, { error: 'must be an AppID: wx and 16 digits or letters from a to f' });

const percentRange = 'must be a number from 0 to 100';

const kinds = 'must name in "is" one of template, all, none, list, share';

export const reach = z
  .discriminatedUnion(
    'is',
    [
      z.strictObject({ is: z.enum(['template', 'all', 'none']) }),
      z.strictObject({
        is: z.literal('list'),
        appids: z.array(appId, { error: 'must be a list of AppIDs' }),
      }),
      z.strictObject({
        is: z.literal('share'),
        percent: z.number({ error: percentRange }).min(0, percentRange).max(100, percentRange),
      }),
    ],
    { error: kinds },
  )
  .describe(
    "For which accounts typing is on: as the template says, all, none, those listed, or so many of a hundred, always the same ones. On: in the template's mode, where that is off continuously.",
  );

export const componentTyping = z.strictObject({
  typing: reach,
  accounts: z
    .record(appId, z.enum(['on', 'off'], { error: 'must be on or off' }), {
      error: 'must be an object of AppIDs, each on or off',
    })
    .default({})
    .describe('By AppID; wins over typing.'),
});
