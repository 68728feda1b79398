import { expect, test } from 'vitest';
import { codes, explain } from '../../src/wechat/api.ts';

test.each([...codes.keys(), 99_999])('a refusal with %s is explained in one sentence', (code) => {
  expect(explain(code)).toMatch(/^[A-Z][^\n]{15,}\.$/);
});

test('a code that says what to mend keeps its own remedy', () => {
  expect(explain(40164)).toMatch(/allowlist/);
  expect(explain(45080)).toMatch(/30 s/);
});
