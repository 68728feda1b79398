/** The package as npm would publish it, from the dist/ that `npm run build` has made, used by a package of its own. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { installPacked } from '../support/packed.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keeptyping-'));
const checkout = join(folder, 'checkout');
const bot = join(folder, 'bot');
const installed = join(bot, 'node_modules', 'keeptyping');

/** Files that a working copy has, or may have, and that nobody else is to get. */
const heldBack = [
  '.env',
  '.oxlintrc.json',
  'bench/main.ts',
  'config/local.json',
  'data/redis/appendonly.aof',
  'dist/client/index.js.map',
  'dist/main.d.ts',
  'docs/notes/draft.txt',
  'scripts/clean.mjs',
  'src/client/index.ts',
  'test/client/server.ts',
  'tsconfig.json',
];

let files: string[];
let filesOfClient: string[];

beforeAll(() => {
  for (const file of heldBack) write(join(checkout, file), '{}');
  const shipped = ['package.json', 'dist', 'packages', 'config', 'docs', 'LICENSE', 'CHANGELOG.md'];
  for (const name of [...shipped, 'README.md', 'README.zh-CN.md']) {
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  }
  ({ server: files, client: filesOfClient } = installPacked(bot, checkout));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function run(command: string, given: string[], cwd: string): { code: number | null; stdout: string } {
  const shell = process.platform === 'win32';
  const { status, stdout } = spawnSync(command, given, { cwd, encoding: 'utf8', shell });
  return { code: status, stdout };
}

function contentOf(file: string): string {
  return readFileSync(join(installed, file), 'utf8');
}

const manifest = z.object({
  private: z.boolean().optional(),
  exports: z.record(
    z.string(),
    z.union([z.string(), z.object({ types: z.string(), default: z.string() }).strict()]),
  ),
});

describe('the package', () => {
  test('holds the program, its documents and nothing of the workshop', () => {
    expect(files.filter((file) => heldBack.includes(file))).toEqual([]);
    const odd = files.filter((file) => !/^(dist|docs|config)\/|^[A-Z][\w.-]*$|^package\.json$/.test(file));
    expect(odd).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'README.zh-CN.md',
        'CHANGELOG.md',
        'dist/main.js',
        'dist/demo/page/index.html',
      ]),
    );
  });

  test('has every file that its exports name, types first', () => {
    const { private: unpublished, exports } = manifest.parse(JSON.parse(contentOf('package.json')));
    expect(unpublished).toBeUndefined();
    const targets = Object.values(exports).flatMap((target) =>
      typeof target === 'string' ? [target] : [target.types, target.default],
    );
    expect(Object.keys(exports)).toEqual(['./client', './package.json']);
    expect(targets.filter((target) => !files.includes(posix.normalize(target)))).toEqual([]);
  });

  test('has every document that its documents link to, but the one about the source', () => {
    const links = files
      .filter((file) => file.endsWith('.md'))
      .flatMap(linksOf)
      .filter(({ to }) => to !== 'ARCHITECTURE.md');
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter(({ to }) => !files.includes(to))).toEqual([]);
  });
});

function linksOf(file: string): { file: string; to: string }[] {
  const targets = [...contentOf(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(
    ([, target = '']) => target,
  );
  return targets.map((target) => ({ file, to: posix.join(posix.dirname(file), target) }));
}

test('the client’s files import Node and each other, nothing else', () => {
  const ours = files.filter((file) => file.startsWith('dist/client/'));
  const imports = ours.flatMap((file) =>
    [...contentOf(file).matchAll(/(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*['"]([^'"]+)/g)].map(
      ([, name = '']) => ({ file, name }),
    ),
  );
  expect(imports.length).toBeGreaterThan(10);
  const foreign = imports.filter(({ name }) => !name.startsWith('node:') && !name.startsWith('./'));
  expect(foreign).toEqual([]);
});

test('the client alone is a package of a few files, of the same version, that needs no other', () => {
  const odd = filesOfClient.filter((file) => !/^dist\/\w+(\.d\.ts|\.js)$/.test(file));
  expect(odd.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
  expect(filesOfClient.length).toBeGreaterThan(odd.length);
  const own: Record<string, unknown> = JSON.parse(
    readFileSync(join(bot, 'node_modules', 'keeptyping-client', 'package.json'), 'utf8'),
  );
  expect(own['version']).toBe(JSON.parse(contentOf('package.json')).version);
  expect(Object.keys(own).filter((field) => /dependencies|scripts/i.test(field))).toEqual([]);
  const all = readFileSync(join(bot, 'package-lock.json'), 'utf8').match(/node_modules\/[^"]+/g);
  expect(all).toEqual(['node_modules/keeptyping-client']);
});

describe.each(['keeptyping-client', 'keeptyping/client'])(
  'a bot that has installed %s, and no dependencies,',
  (name) => {
    const use = `
    const typing = createTyping({ url: 'http://127.0.0.1:1' });
    typing.during({ channel: 'wechat', user: 'u' }, () => 'answered').then(console.log);`;

    test.each([
      { how: 'imports', file: 'bot.mjs', text: `import { createTyping } from '${name}';${use}` },
      {
        how: 'requires',
        file: 'bot.cjs',
        text: `const { createTyping } = require('${name}');${use}`,
      },
    ])('$how the client', ({ file, text }) => {
      write(join(bot, file), text);
      expect(run(process.execPath, [file], bot)).toEqual({ code: 0, stdout: 'answered\n' });
    });

    test.each([
      { module: 'nodenext', moduleResolution: 'nodenext' },
      { module: 'esnext', moduleResolution: 'bundler' },
    ])('has its types, with $moduleResolution and without the types of Node', (resolution) => {
      const compilerOptions = { ...resolution, noEmit: true, strict: true, target: 'es2022', types: [] };
      write(join(bot, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['bot.mts'] }));
      write(
        join(bot, 'bot.mts'),
        `import { createTyping, TypingError, type Message, type Typing } from '${name}';
      const statuses: (number | null)[] = [];
      const typing: Typing = createTyping({ url: 'http://a', onError: (error) => void statuses.push(error.status) });
      const message: Message = { channel: 'wechat', user: 'u' };
      const answer: string = await typing.during(message, async () => 'answer');
      const number: number = await typing.during(message, () => 1);
      // @ts-expect-error: there is no such channel
      typing.start({ channel: 'sms', user: 'u' });
      export { answer, number, TypingError };`,
      );
      const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      expect(run(process.execPath, [compiler, '-p', '.'], bot)).toEqual({ code: 0, stdout: '' });
    });
  },
);

test('a bot cannot start the server by importing it', () => {
  const text = `import('keeptyping').catch(({ code }) => console.log(code));`;
  expect(run(process.execPath, ['--eval', text], bot).stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
});
