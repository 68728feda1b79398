/** The documents' calls of the gateway and the control API, as people copy them, on keeptyping as it runs. */
import { execFile, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/redis-server.ts';
import { asOperator, gatewayOf, markIs as is, type Stage, useStage, wideWindow } from '../e2e/stage.ts';
import { lend } from '../support/packed.ts';
import { blocksUnder, placeOf, recipe, run, serve } from './recipe.ts';

const { open } = useStage();

const acknowledging = { ...wideWindow, bot: { style: 'silent' } } as const;

/** Not every machine has what the examples call. */
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

/** What a conversation says of itself. */
function reading({ webs }: Stage, conversation: string) {
  return async () => (await fetch(`${webs[0]?.url}/conversations/${conversation}`, asOperator)).json();
}

const inPlaceOf = 'http://127.0.0.1:3000/gateway/KEY';

describe('docs/recipes.md: a message through the gateway ends the turn', () => {
  const wechat = { channel: 'wechat', user: 'OPENID' } as const;
  const nxcloud = { channel: 'nxcloud', user: '8613800000000' } as const;
  const heading = 'NXCloud, a client of your own';

  async function waiting({ channel, user }: typeof wechat | typeof nxcloud): Promise<Stage> {
    const stage = await open(acknowledging);
    await stage.simulator[channel].push({ user, text: 'hi' });
    await stage.simulator[channel].phone(user).next(is('typing-on'));
    return stage;
  }

  test.each([
    { name: 'co-wechat-api', ...wechat },
    { name: 'wechat-api', ...wechat },
    { name: 'node-easywechat', ...wechat },
    { name: heading, ...nxcloud },
  ])('$name', async ({ name, ...to }) => {
    const stage = await waiting(to);
    const example = await recipe(name);
    expect(example).toContain(inPlaceOf);
    // Some keep their tokens in files of the folder that they run in.
    const folder = mkdtempSync(join(tmpdir(), 'keeptyping-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    lend(
      folder,
      [name].filter((each) => each !== heading),
    );
    await run(example.replace(inPlaceOf, gatewayOf(stage)), stage.simulator, folder);
    await stage.simulator[to.channel].phone(to.user).next(is('received', 'hello'));
    const read = reading(stage, `${to.channel}/default/${to.user}`);
    await expect.poll(read).toMatchObject({ turns: [], lastEnded: { by: 'gateway' } });
  });

  test.skipIf(!has('python3'))(`${heading}, in Python`, async () => {
    const stage = await waiting(nxcloud);
    const blocks = await blocksUnder('docs/recipes.md', heading);
    const example = blocks.find(({ language }) => language === 'python')?.code ?? '';
    const code = example.replace(inPlaceOf, gatewayOf(stage));
    await promisify(execFile)('python3', ['-c', code], { env: placeOf(stage.simulator).env });
    await stage.simulator.nxcloud.phone(nxcloud.user).next(is('received', 'hello'));
    const read = reading(stage, `nxcloud/default/${nxcloud.user}`);
    await expect.poll(read).toMatchObject({ turns: [], lastEnded: { by: 'gateway' } });
  });
});

describe("docs/recipes.md: NXCloud, a bot that speaks Meta's API", () => {
  const user = '8613800000000';
  const metaSecret = 'the-app-secret-of-the-sdk';

  /** What a bot on an SDK does: checks the signature, reads Meta's envelope, and sends by the Graph API's call. */
  async function startBot(graph: string) {
    const sent: unknown[] = [];
    const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = await text(request);
      const signature = createHmac('sha256', metaSecret).update(body).digest('hex');
      const { object, entry } = JSON.parse(body);
      const { field, value } = entry[0].changes[0];
      response.end();
      const isMeant = request.headers['x-hub-signature-256'] === `sha256=${signature}`;
      if (!isMeant || object !== 'whatsapp_business_account' || field !== 'messages' || !value.messages)
        return;
      const { phone_number_id: phone } = value.metadata;
      const message = {
        messaging_product: 'whatsapp',
        to: value.messages[0].from,
        type: 'text',
        text: { body: `an answer to ${value.messages[0].text.body}` },
      };
      const headers = { 'content-type': 'application/json', authorization: 'Bearer anything' };
      for (const body of [{ messaging_product: 'whatsapp', status: 'read' }, message]) {
        const url = `${graph}/v23.0/${phone}/messages`;
        const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
        sent.push(await answer.json());
      }
    };
    const bot = createServer((request, response) => void hear(request, response)).listen(0, '127.0.0.1');
    await once(bot, 'listening');
    onTestFinished(() => void bot.close());
    const address = bot.address();
    return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`, sent };
  }

  test('gets the push in the envelope and the signature that it knows, and its message goes out', async () => {
    const port = await freePort();
    const graph = `http://127.0.0.1:${port}`;
    const stage = await open({ env: { NXCLOUD_BOT_URL: `${graph}/whatsapp` } });
    const bot = await startBot(graph);
    const [relay] = await blocksUnder('docs/recipes.md', "NXCloud, a bot that speaks Meta's API");
    const code = (relay?.code ?? '')
      .replace(inPlaceOf, gatewayOf(stage))
      .replace(`.listen(8000, '127.0.0.1')`, `.listen(${port}, '127.0.0.1', () => console.log('listening'))`);
    await serve(code, stage.simulator, { BOT_URL: bot.url, META_APP_SECRET: metaSecret });
    await stage.simulator.nxcloud.push({ user, text: 'hi' });
    await stage.simulator.nxcloud.phone(user).next(is('received', 'an answer to hi'));
    const read = reading(stage, `nxcloud/default/${user}`);
    await expect.poll(read).toMatchObject({ turns: [], lastEnded: { by: 'gateway' } });
    await expect.poll(() => bot.sent).toHaveLength(2);
    expect(bot.sent).toEqual([
      { success: true },
      expect.objectContaining({ messages: [{ id: expect.any(String) }] }),
    ]);
  });
});

/** Runs a page's commands in a shell. Resolves with the status and the body of each call, in their order. */
async function call(commands: string, { webs }: Stage, token: string) {
  const url = webs[0]?.url ?? '';
  const here = commands.replaceAll(/http:\/\/127\.0\.0\.1:3000|https:\/\/<your host>/g, url);
  expect(here).toContain(url);
  const curl = `curl() { command curl --silent --show-error --write-out '\\n%{http_code}\\n' "$@"; }`;
  const env = { PATH: process.env['PATH'], CONTROL_TOKEN: token };
  const { stdout } = await promisify(execFile)('sh', ['-ec', `${curl}\n${here}`], { env });
  return [...stdout.matchAll(/^(.*)\n(\d{3})$/gm)].map(([, body = '', status]) => ({
    status: Number(status),
    body: body === '' ? null : JSON.parse(body),
  }));
}

const statuses = (calls: { status: number }[]): number[] => calls.map(({ status }) => status);

async function shell(page: string, heading: string): Promise<string> {
  const blocks = await blocksUnder(page, heading);
  return blocks.find(({ language }) => language === 'sh')?.code ?? '';
}

describe.skipIf(!has('curl'))('the control API', () => {
  const token = 'control-token-of-the-examples';

  test('docs/control-api.md', async () => {
    const stage = await open({ ...acknowledging, env: { ...wideWindow.env, CONTROL_TOKEN: token } });
    await stage.simulator.wechat.push({ user: 'oAbC123', text: 'hi', msgId: '24101234567890122' });
    const calls = await call(await shell('docs/control-api.md', 'Control API'), stage, token);
    expect(statuses(calls)).toEqual([200, 204, 204, 200, 204, 200, 204]);
    expect(calls[0]?.body).toEqual({ turn: 'oAbC123-24101234567890123' });
    const [shown] = await blocksUnder('docs/control-api.md', 'What a conversation says');
    expect(Object.keys(calls[5]?.body)).toEqual(Object.keys(JSON.parse(shown?.code ?? '')));
    expect(calls[5]?.body).toMatchObject({ turns: [], lastEnded: { by: 'control' }, pausedUntil: null });
  });

  test.skipIf(!has('openssl'))('docs/accounts.md', async () => {
    const secrets = await shell('docs/accounts.md', 'Accounts at run time');
    const { stdout } = await promisify(execFile)('sh', ['-c', `${secrets}echo $ACCOUNTS_KEY $CONTROL_TOKEN`]);
    const [ACCOUNTS_KEY = '', CONTROL_TOKEN = ''] = stdout.trim().split(' ');
    const stage = await open({ env: { ACCOUNTS_KEY, CONTROL_TOKEN } });
    const calls = await call(await shell('docs/accounts.md', 'Recipes'), stage, CONTROL_TOKEN);
    expect(statuses(calls)).toEqual([201, 201, 200, 200, 200, 200, 200, 204]);
    expect(calls[6]?.body).toMatchObject({
      account: 'shop',
      serves: { fields: { botUrl: 'https://new.example/wechat' }, secrets: { tokenPrevious: 'unset' } },
    });
  });

  test('docs/component.md', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keeptyping-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const vendor = {
      appId: 'wx0123456789abcdef',
      appSecret: 'the-secret',
      token: 'the-token',
      encodingAesKey: 'a'.repeat(43),
    };
    writeFileSync(join(folder, 'default.json'), JSON.stringify({ version: 1, components: { vendor } }));
    const env = { CONFIG_DIR: folder, ACCOUNTS_KEY: '0'.repeat(64), CONTROL_TOKEN: token };
    const stage = await open({ env });
    const brought = await call(await shell('docs/component.md', 'Where tokens come from'), stage, token);
    expect(statuses(brought)).toEqual([204]);
    const heading = 'Switching typing on, account by account';
    const switched = await call(await shell('docs/component.md', heading), stage, token);
    expect(statuses(switched)).toEqual(Array.from({ length: 7 }, () => 200));
    expect(switched[6]?.body).toMatchObject({ typing: { is: 'template' } });
  });
});
