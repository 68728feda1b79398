import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tables } from '../core/tables.ts';
import { planted } from './planted.ts';
import type { Subject } from './play.ts';
import { promises } from './promises.ts';

/** The same histories each time; PROPERTY_SEED plays others. -480726039 finds a ghost that is not mended yet. */
const seed = Number(process.env['PROPERTY_SEED'] ?? 1);

describe.each(tables)('over random histories, $name', ({ rules, running }) => {
  test.each(Object.entries(promises))('%s', (_, promise) => {
    fc.assert(promise({ rules, running }), { numRuns: 500, seed });
  });
});

function finds(promise: (typeof promises)[keyof typeof promises], subject: Subject): boolean {
  return fc.check(promise(subject), { numRuns: 500, seed: 1, endOnFailure: true }).failed;
}

/** Each bug is seen by one of the promises: a test of the tests. */
describe('a planted bug is found', () => {
  test.each(Object.entries(planted))('%s', (_, subject) => {
    expect(Object.values(promises).some((promise) => finds(promise, subject))).toBe(true);
  });

  test.each(Object.entries(promises))('by %s, at least one', (_, promise) => {
    expect(Object.values(planted).some((subject) => finds(promise, subject))).toBe(true);
  });
});
