import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { provideTokens } from '../../src/config/own-tokens.ts';
import { recordLog } from '../support/log.ts';

let parent: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'keeptyping-'));
});

afterEach(() => rm(parent, { recursive: true, force: true }));

const account = { WECHAT_APP_ID: 'wx1', WECHAT_APP_SECRET: 's', WECHAT_TOKEN: 't' };

/** The configuration of a real account, in a data folder that is not there yet. */
async function provide(environment: Record<string, string> = {}) {
  const log = recordLog();
  const folder = join(parent, 'data');
  const { config } = loadConfig({ ...account, DATA_DIR: folder, ...environment }, () => null);
  const { config: provided, ownsControl } = await provideTokens(config, log);
  const { controlTokens, gatewayKey } = provided;
  return { log, folder, controlTokens, gatewayKey, ownsControl };
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe('tokens that are not set', () => {
  test('are made at the first start, for their owner alone, and are the same at the next', async () => {
    const first = await provide();
    expect(first).toMatchObject({ controlTokens: [expect.stringMatching(/^[\w-]{32}$/)], ownsControl: true });
    expect(first.gatewayKey).toMatch(/^[\w-]{32}$/);
    expect(first.gatewayKey).not.toBe(first.controlTokens[0]);
    expect((await readdir(first.folder)).toSorted()).toEqual(['control-token', 'gateway-key']);
    expect(await modeOf(first.folder)).toBe('700');
    for (const name of ['control-token', 'gateway-key'])
      expect(await modeOf(join(first.folder, name))).toBe('600');
    const { log: _, ...before } = first;
    expect(await provide()).toMatchObject(before);
  });

  test('are told by their files, not by themselves', async () => {
    const { log, folder, controlTokens, gatewayKey } = await provide();
    const said = log.lines.map(({ message }) => message);
    expect(said).toEqual([
      `CONTROL_TOKEN is not set: ${join(folder, 'control-token')} holds the one that is used.`,
      `GATEWAY_KEY is not set: ${join(folder, 'gateway-key')} holds the one that is used.`,
    ]);
    expect(JSON.stringify(log.lines)).not.toMatch(new RegExp(`${controlTokens[0]}|${gatewayKey}`));
  });

  test('are the same for processes that start at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => provide()));
    expect(new Set(all.map(({ controlTokens }) => controlTokens[0])).size).toBe(1);
    expect(new Set(all.map(({ gatewayKey }) => gatewayKey)).size).toBe(1);
  });

  test('are made one by one', async () => {
    const set = { CONTROL_TOKEN: 'control-token-0001' };
    const { controlTokens, folder, ownsControl } = await provide(set);
    expect([controlTokens, ownsControl]).toEqual([['control-token-0001'], false]);
    expect(await readdir(folder)).toEqual(['gateway-key']);
  });

  test.each([
    { NODE_ENV: 'production' },
    { DEMO: '1' },
    { CONTROL_TOKEN: 'control-token-0001', GATEWAY_KEY: 'gateway-key-000001' },
  ])('are not made with %j', async (environment) => {
    const { folder, log, ownsControl } = await provide(environment);
    await expect(readdir(folder)).rejects.toThrow(/ENOENT/);
    expect([log.lines, ownsControl]).toEqual([[], false]);
  });

  test('that cannot be kept are told, with the remedy, and what needs them is off', async () => {
    await writeFile(join(parent, 'data'), 'no folder');
    const { log, controlTokens, gatewayKey } = await provide();
    expect([controlTokens, gatewayKey]).toEqual([[], null]);
    expect(log.lines).toMatchObject([
      { level: 'warn', message: expect.stringMatching(/^No token can be kept: .*DATA_DIR.*CONTROL_TOKEN/) },
    ]);
  });

  test('that others may read are told, with the remedy', async () => {
    const { folder, controlTokens } = await provide();
    await chmod(join(folder, 'control-token'), 0o640);
    const again = await provide();
    expect(again.controlTokens).toEqual(controlTokens);
    expect(again.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: expect.stringContaining(`may read ${join(folder, 'control-token')}: delete it`) },
    ]);
  });

  test('whose file holds none are told by its name', async () => {
    const { folder } = await provide();
    await writeFile(join(folder, 'control-token'), 'short\n');
    const { log, controlTokens } = await provide();
    expect(controlTokens).toEqual([]);
    const error = new Error(
      `${join(folder, 'control-token')} holds no token of 16 to 200 letters, digits, _ and -: delete it.`,
    );
    expect(log.lines[0]?.fields).toEqual({ error });
    expect(await readFile(join(folder, 'control-token'), 'utf8')).toBe('short\n');
  });
});
