/** Accounts behind a third-party platform, from the ticket to the phone. */
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  startComponent,
  type BotOptions,
  type ComponentOptions,
  type ComponentSimulator,
} from '../../src/simulator/index.ts';
import { startServer, type Reply, type Request } from '../../src/simulator/server.ts';
import { testSeal } from '../helpers/seal.ts';
import { markIs as is, quick, useStage, wechatRules, type Stage, type StageOptions } from './stage.ts';

const { open } = useStage();

const shop = 'wx1111111111111111';
const bakery = 'wx2222222222222222';
const user = 'oUser_1';
const seal = testSeal();

let component: ComponentSimulator;

afterEach(() => component.close());

interface Scene {
  component?: Partial<ComponentOptions>;
  bot?: BotOptions;
  env?: Record<string, string>;
  stage?: StageOptions;
}

/** A stage with a third-party platform, whose bot is the stage's. */
async function openComponent(scene: Scene = {}): Promise<Stage> {
  component = await startComponent({
    ...scene.component,
    rules: { ...quick.wechat, window: 30_000, pushTimeout: 800, ...scene.component?.rules },
  });
  const { appId, appSecret, token, encodingAesKey } = component.options;
  const { apiBase } = component;
  const stage = await open({
    seal,
    ...scene.stage,
    bot: { wechat: { appId, appSecret, token, encodingAesKey, apiBase }, ...scene.bot },
    env: {
      WECHAT_COMPONENT_APP_ID: appId,
      WECHAT_COMPONENT_APP_SECRET: appSecret,
      WECHAT_COMPONENT_TOKEN: token,
      WECHAT_COMPONENT_ENCODING_AES_KEY: encodingAesKey,
      WECHAT_COMPONENT_API_BASE: apiBase,
      WECHAT_COMPONENT_RULES: JSON.stringify({ ...wechatRules, window: 30_000 }),
      ...scene.env,
    },
  });
  component.connect(stage.webs[0]?.url ?? '');
  return stage;
}

/** The bot's address is known only once the stage stands: it is the stage's own bot. */
function templateUrl(stage: Stage): string | null | undefined {
  return stage.config.components[0]?.template.botUrl;
}

async function ready(): Promise<void> {
  expect((await component.sendTicket()).body?.toString()).toBe('success');
  expect((await component.authorise(shop)).status).toBe(200);
  await expect.poll(() => fetches('query-auth')).toBe(1);
}

function fetches(command: string): number {
  return component.calls.filter((call) => call.command === command).length;
}

/** A server of the vendor's. */
async function vendor(handler: (request: Request) => Reply | Promise<Reply>) {
  const requests: Request[] = [];
  const server = await startServer(async (request) => {
    requests.push(request);
    return handler(request);
  });
  onTestFinished(() => server.close());
  return { url: server.url, requests };
}

test('the template has the bot', async () => {
  expect(templateUrl(await openComponent())).toBeNull();
});

describe('by itself', () => {
  test('ticket, authorization, a message: typing, the late answer by custom/send, nothing after it', async () => {
    await openComponent();
    await ready();
  });
});
