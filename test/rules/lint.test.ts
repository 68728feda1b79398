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
    what: 'an adapter that imports the other',
    file: 'src/wechat/a.ts',
    text: "import type { A } from '../nxcloud/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'a third-party platform that imports the other adapter',
    file: 'src/wechat/component/a.ts',
    text: "import type { A } from '../../nxcloud/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'Redis that imports the typing',
    file: 'src/redis/a.ts',
    text: "import { a } from '../typing/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the typing that imports the replies',
    file: 'src/typing/a.ts',
    text: "import { a } from '../replies/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the typing that imports a platform',
    file: 'src/typing/a.ts',
    text: "import type { A } from '../wechat/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the replies that import the web',
    file: 'src/replies/a.ts',
    text: "import { a } from '../http/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the bot’s queue that imports the web',
    file: 'src/bot-queue/a.ts',
    text: "import { a } from '../http/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the gateway that imports the web',
    file: 'src/gateway/a.ts',
    text: "import { a } from '../http/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the web that imports the control API',
    file: 'src/http/a.ts',
    text: "import { a } from '../control/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the control API that imports the wiring',
    file: 'src/control/a.ts',
    text: "import type { A } from '../wiring/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the accounts that import the configuration',
    file: 'src/accounts/a.ts',
    text: "import type { A } from '../config/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the configuration that imports the accounts',
    file: 'src/config/a.ts',
    text: "import type { A } from '../accounts/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the journal that imports the typing',
    file: 'src/journal/a.ts',
    text: "import type { A } from '../typing/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the metrics that import the journal',
    file: 'src/metrics/a.ts',
    text: "import type { A } from '../journal/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the tracing that imports the web',
    file: 'src/tracing/a.ts',
    text: "import type { A } from '../http/a.ts';\nexport type B = A;\n",
  },
  {
    what: 'the console that imports the wiring',
    file: 'src/console/a.ts',
    text: "import { a } from '../wiring/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'what serves pages that imports a page’s server',
    file: 'src/pages/a.ts',
    text: "import { a } from '../demo/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the simulator that imports what it tests',
    file: 'src/simulator/a.ts',
    text: "import { a } from '../wechat/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the wiring that imports the demo',
    file: 'src/wiring/a.ts',
    text: "import { a } from '../demo/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'the doctor that imports the demo',
    file: 'src/doctor/a.ts',
    text: "import { a } from '../demo/a.ts';\nexport const b = a;\n",
  },
  {
    what: 'an entry that imports an entry',
    file: 'src/web.ts',
    text: "import { a } from './worker.ts';\nexport const b = a;\n",
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
  {
    what: 'a room that imports an entry',
    file: 'src/http/a.ts',
    text: "import { a } from '../main.ts';\nexport const b = a;\n",
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
