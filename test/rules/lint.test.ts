/** The guards themselves: each rule that holds the layout is seen to catch what it is there for. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keeptyping-'));
  cpSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function lint(files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
  const { stdout } = spawnSync(process.execPath, [oxlint], { cwd: folder, encoding: 'utf8' });
  return stdout;
}

test('a file that keeps the rules passes', () => {
  expect(
    lint({ 'src/core/a.ts': "export { b } from './b.ts';\n", 'src/core/b.ts': 'export const b = 1;\n' }),
  ).toContain('0 errors');
});

test.each([
  {
    what: 'core that imports Node',
    file: 'src/core/a.ts',
    text: "import { once } from 'node:events';\nexport const a = once;\n",
  },
  {
    what: 'core that imports a package',
    file: 'src/core/a.ts',
    text: "import axios from 'axios';\nexport const a = axios;\n",
  },
  {
    what: 'core that imports an adapter, as a type',
    file: 'src/core/a.ts',
    text: "import type { A } from '../wechat/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the client library that imports a package',
    file: 'src/client/a.ts',
    text: "import axios from 'axios';\nexport const a = axios;\n",
  },
  {
    what: 'the client library that imports core',
    file: 'src/client/a.ts',
    text: "import type { A } from '../core/a.ts';\nexport type B = A;\n",
  },
])('$what is refused', ({ file, text }) => {
  expect(lint({ [file]: text })).toContain('no-restricted-imports');
});

test('core that reads a clock is refused', () => {
  expect(lint({ 'src/core/a.ts': 'export const a = Date.now();\n' })).toContain('no-restricted-globals');
});

test('a cycle is refused, of types alone too', () => {
  const files = {
    'src/core/a.ts': "import type { B } from './b.ts';\nexport interface A { b: B }\n",
    'src/core/b.ts': "import type { A } from './a.ts';\nexport interface B { a: A }\n",
  };
  expect(lint(files)).toContain('no-cycle');
});
