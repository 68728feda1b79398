/** README's and docs/client.md's examples as they stand there, on the packages as npm would publish them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startBot, startSimulator } from '../../src/simulator/index.ts';
import { freePort } from '../support/redis-server.ts';
import { asOperator, markIs as is, type Stage, useStage, wideWindow } from '../e2e/stage.ts';
import { completeServer, installPacked, lend } from '../support/packed.ts';
import { blocksUnder } from './recipe.ts';

const folder = mkdtempSync(join(tmpdir(), 'keeptyping-'));
let command: string;

beforeAll(() => {
  installPacked(folder);
  lend(folder, ['co-wechat', 'express', 'koa', 'xml2js']);
  command = completeServer(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A process in the bot's folder, killed with its children after the test; its words can be waited for. */
function run(words: readonly string[], environment: Record<string, string>, cwd = folder) {
  const [file = '', ...given] = words;
  const env = { PATH: process.env['PATH'] ?? '', ...environment };
  const child = spawn(file, given, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]: unknown[]) => code);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) signal(child, 'SIGKILL');
    await ended;
  });
  return {
    ended,
    output: () => output,
    /** Lets what waits for `next` in the script go on. */
    goOn: () => void child.stdin.write('\n'),
    signal: (name: NodeJS.Signals) => signal(child, name),
    says: async (text: string | RegExp) => {
      await expect.poll(() => output).toMatch(text);
    },
  };
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid !== undefined) process.kill(-pid, name);
}

/** What the bot has today. Its model answers when the test says so, and what it sends is seen by nobody. */
const around = `
  import { once as heard } from 'node:events';
  import { createRequire } from 'node:module';
  const require = createRequire(process.cwd() + '/bot.mjs');
  const next = async () => {
    process.stdin.resume();
    await heard(process.stdin, 'data');
    process.stdin.pause();
  };
  const askTheModel = async (question) => {
    await next();
    return 'an answer to ' + question;
  };
  const sendText = async (user, text) => console.log(user + ' has ' + text);
  const api = { sendText };
`;

function runScript(code: string, environment: Record<string, string>) {
  return run([process.execPath, '--input-type=module', '--eval', around + code], environment);
}

const { open } = useStage();

/** A stage whose bot is a script, which calls the stage back; it takes pushes at this path. */
async function openWith(code: string, { path = '/' } = {}) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}${path}`;
  const env = { ...wideWindow.env, WECHAT_BOT_URL: url, NXCLOUD_BOT_URL: url };
  const stage = await open({ ...wideWindow, env });
  const listens = `.listen(${port}, () => console.log('listening'))`;
  const listening = code.replace('.listen(8000)', listens);
  if (listening === code) throw new Error('The example does not listen on port 8000.');
  const bot = runScript(listening, placeOf(stage));
  await bot.says('listening');
  return { stage, bot };
}

function placeOf({ webs, config, simulator }: Stage): Record<string, string> {
  const { token, appId } = simulator.wechat.options;
  return {
    KEEPTYPING_URL: webs[0]?.url ?? '',
    CONTROL_TOKEN: config.controlTokens[0] ?? '',
    WECHAT_TOKEN: token,
    WECHAT_APP_ID: appId,
  };
}

function reading({ webs }: Stage, conversation: string) {
  return async () => (await fetch(`${webs[0]?.url}/conversations/${conversation}`, asOperator)).json();
}

const endedByBot = { turns: [], lastEnded: { by: 'control' } };

async function code(page: string, heading: string): Promise<string[]> {
  const blocks = await blocksUnder(page, heading);
  return blocks.filter(({ language }) => language === 'js').map((block) => block.code);
}

/** The first of a page. */
async function openingOf(page: string): Promise<string> {
  const heading = page.startsWith('docs')
    ? 'The client: a bot says itself when it is thinking'
    : 'keeptyping-client';
  const [first = ''] = await code(page, heading);
  return first;
}

/** One line after the other, each as soon as the test says so. */
function stepwise(example: string): string {
  const lines = example.trim().split('\n');
  return lines.map((line) => `${line}\nawait next();\n`).join('');
}

describe('docs/client.md', () => {
  test.each(['docs/client.md', 'packages/client/README.md'])('%s: its first example', async (page) => {
    const stage = await open({ ...wideWindow, bot: { style: 'silent' } });
    const { msgId } = await stage.simulator.wechat.push({ user: 'u', text: 'this' });
    const place = placeOf(stage);
    const given = `const [openid, messageId, question] = ['u', '${msgId}', 'this']; const send = sendText;`;
    const example = (await openingOf(page)).replace('http://127.0.0.1:3000', place['KEEPTYPING_URL'] ?? '');
    const bot = runScript(given + example, place);
    await stage.simulator.wechat.phone('u').next(is('typing-on'));
    bot.goOn();
    await bot.says('u has an answer to this');
    expect(await bot.ended).toBe(0);
    await expect
      .poll(reading(stage, 'wechat/default/u'))
      .toMatchObject({ ...endedByBot, lastEnded: { turn: `u-${msgId}`, by: 'control' } });
  });

  test.each([
    { heading: 'An LLM bot on Express', path: '/wechat', given: '', listens: 'app.listen(8000);' },
    {
      heading: 'co-wechat',
      path: '/',
      given: 'const config = { token: process.env.WECHAT_TOKEN, appid: process.env.WECHAT_APP_ID };',
      listens: '',
    },
  ])('$heading', async ({ heading, path, given, listens }) => {
    const [example = ''] = await code('docs/client.md', heading);
    const { stage, bot } = await openWith(given + example + listens, { path });
    await stage.simulator.wechat.push({ user: 'u', text: 'this' });
    await stage.simulator.wechat.phone('u').next(is('typing-on'));
    bot.goOn();
    await bot.says('u has an answer to this');
    await expect.poll(reading(stage, 'wechat/default/u')).toMatchObject(endedByBot);
  });

  test('A WhatsApp bot', async () => {
    const opening = `
      import express from 'express';
      import { createTyping } from 'keeptyping-client';
      const typing = createTyping({ url: process.env.KEEPTYPING_URL, token: process.env.CONTROL_TOKEN });
      const app = express();`;
    const [example = ''] = await code('docs/client.md', 'A WhatsApp bot');
    const { stage, bot } = await openWith(`${opening}${example}app.listen(8000);`, { path: '/whatsapp' });
    const user = '8613800000000';
    await stage.simulator.nxcloud.push({ user, text: 'this' });
    await stage.simulator.nxcloud.phone(user).next(is('typing-on'));
    bot.goOn();
    await bot.says(`${user} has an answer to this`);
    await expect.poll(reading(stage, `nxcloud/default/${user}`)).toMatchObject(endedByBot);
  });

  test('A worker, a stream, a human', async () => {
    const [apart = '', human = '', shutdown = ''] = await code(
      'docs/client.md',
      'A worker, a stream, a human',
    );
    const stage = await open(wideWindow);
    await stage.simulator.wechat.push({ user: 'u', type: 'event', fields: { Event: 'CLICK' } });
    const read = reading(stage, 'wechat/default/u');
    const bot = runScript(
      `import { createTyping } from 'keeptyping-client';
      const typing = createTyping({ url: process.env.KEEPTYPING_URL, token: process.env.CONTROL_TOKEN });
      const [user, messageId] = ['u', '24000000000000001'];
      const answersToEnd = async () => {};
      ${shutdown}${stepwise(apart)}${stepwise(human)}
      await typing.during({ channel: 'wechat', user, messageId: '24000000000000002' }, next);`,
      placeOf(stage),
    );
    await expect.poll(read).toMatchObject({ turns: [{ id: 'u-24000000000000001' }] });
    bot.goOn();
    await expect.poll(read).toMatchObject(endedByBot);
    bot.goOn();
    await expect.poll(read).toMatchObject({ pausedBy: 'control', pausedUntil: expect.any(Number) });
    bot.goOn();
    await expect.poll(read).toMatchObject({ pausedUntil: null });
    bot.goOn();
    await expect.poll(read).toMatchObject({ turns: [{ id: 'u-24000000000000002' }] });
    bot.signal('SIGTERM');
    expect(await bot.ended).toBe(0);
    await expect.poll(read).toMatchObject({ ...endedByBot, lastEnded: { turn: 'u-24000000000000002' } });
  });
});

describe('README.md', () => {
  const quiet = { LOG_FORMAT: 'json', PORT: '0', HOST: '127.0.0.1', NO_UPDATE_NOTIFIER: '1' };

  test('npx keeptyping: the demo', async () => {
    const demo = run([process.execPath, command], { ...quiet, PATH: '/nowhere' });
    await demo.says('"working"');
    const base = `http://127.0.0.1:${/"port":(\d+)/.exec(demo.output())?.[1]}`;
    for (const path of ['/', '/console'])
      expect([path, (await fetch(`${base}${path}`)).status]).toEqual([path, 200]);
    demo.signal('SIGTERM');
    expect(await demo.ended).toBe(0);
  });

  test.each([
    { words: ['strat'], says: /^strat is no command of keeptyping: see keeptyping --help\.\n$/ },
    { words: ['--prot=80'], says: /^--prot=80 is no command of keeptyping/ },
    { words: ['start', '--port=80'], says: /^--port=80 is no option: settings come from the environment/ },
    { words: ['worker', 'x'], says: /^x is no option/ },
    { words: ['doctor', '--jsn'], says: /^--jsn is no option of the doctor: see --help\.\n$/ },
    { words: ['replies', 'rety', '7'], says: /^rety is no command of replies/ },
    { words: ['replies', 'retry'], says: /^retry takes one job/ },
  ])('npx keeptyping $words is refused in a sentence', async ({ words, says }) => {
    const refused = run([process.execPath, command, ...words], quiet);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(says);
  });

  test.each([
    { words: ['--help'], says: 'Usage: keeptyping' },
    { words: ['--version'], says: /^\d+\.\d+\.\d+\n$/ },
    { words: ['replies', '--help'], says: 'retry <job>' },
    { words: ['doctor', '--help'], says: '--webhook' },
  ])('npx keeptyping $words', async ({ words, says }) => {
    const told = run([process.execPath, command, ...words], quiet);
    expect(await told.ended).toBe(0);
    expect(told.output()).toMatch(says);
  });

  const platforms = {
    wechat: { heading: 'keeptyping', base: 'WECHAT_API_BASE' },
    nxcloud: { heading: 'WhatsApp', base: 'NXCLOUD_API_BASE' },
  } as const;

  test.each(['wechat', 'nxcloud'] as const)('the bot put behind it: %s', async (channel) => {
    const { heading, base } = platforms[channel];
    const blocks = await blocksUnder('README.md', heading);
    const example = blocks.find((block) => block.code.startsWith('export '))?.code ?? '';
    const set = new Map(
      [...example.matchAll(/^export (\w+)=(\S+)/gm)].map(([, name, value]) => [name, value]),
    );
    const of = (name: string): string => set.get(name) ?? '';
    const simulator = await startSimulator({
      wechat: { appId: of('WECHAT_APP_ID'), appSecret: of('WECHAT_APP_SECRET'), token: of('WECHAT_TOKEN') },
      nxcloud: {
        accessKey: of('NXCLOUD_ACCESS_KEY'),
        accessSecret: of('NXCLOUD_ACCESS_SECRET'),
        appKey: of('NXCLOUD_APP_KEY'),
      },
    });
    onTestFinished(() => simulator.close());
    const accounts = {
      wechat: { ...simulator.wechat.options, apiBase: simulator.wechat.apiBase },
      nxcloud: { ...simulator.nxcloud.options, apiBase: simulator.nxcloud.apiBase },
    };
    const bot = await startBot({ thinkMs: 2_000, ...accounts });
    onTestFinished(() => bot.close());
    const script = example.replace(/http:\/\/127\.0\.0\.1:8000\/\w+/, bot.url);
    const environment = { ...quiet, DATA_DIR: join(folder, 'data'), [base]: simulator[channel].apiBase };
    const started = run(['sh', '-c', script], environment, dirname(dirname(command)));
    await started.says('"working"');
    const [, port] = /"port":(\d+)/.exec(started.output()) ?? [];
    simulator[channel].connect(`http://127.0.0.1:${port}/webhooks/${channel}`);
    const user = '8613800000000';
    const pushed = simulator[channel].push({ user, text: 'this' });
    const phone = simulator[channel].phone(user);
    await phone.next(is('typing-on'));
    const received = await phone.next(is('received', 'echo: this'));
    await pushed;
    expect(phone.ghost(received.at)).toBe(0);
    started.signal('SIGTERM');
    await started.ended;
  });

  test('A Node bot: nothing in its code changes', async () => {
    const [example = ''] = await code('README.md', 'A Node bot');
    const given = `
      import Koa from 'koa';
      const app = new Koa();
      const config = { token: process.env.WECHAT_TOKEN, appid: process.env.WECHAT_APP_ID };`;
    const { stage, bot } = await openWith(given + example);
    const phone = stage.simulator.wechat.phone('u');
    await stage.simulator.wechat.push({ user: 'u', text: 'this' });
    await phone.next(is('typing-on'));
    bot.goOn();
    expect(await phone.next(is('received'))).toMatchObject({ detail: 'an answer to this', via: 'api' });
  });
});
