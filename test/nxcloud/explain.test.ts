import { expect, test } from 'vitest';
import { explain, metaCodes, platformCodes } from '../../src/nxcloud/codes.ts';

const known = [...platformCodes, ...metaCodes].map(({ code }) => code);

test.each([...known, 99_999])('a refusal with %s is explained in one sentence', (code) => {
  expect(explain(code)).toMatch(/^[A-Z][^\n]{15,}\.$/);
});

test('a code within a range is known by it', () => {
  expect(explain(231)).toBe(explain(200));
  expect(explain(1008)).toMatch(/accessSecret/);
});
