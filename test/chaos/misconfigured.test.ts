/**
 * What operators get wrong first: keeptyping's own processes with one thing amiss each, and what log, console and doctor
 * say of it: the cause and what mends it, in both languages.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Overview } from '../../src/console/wire.ts';
import { findServer } from '../../src/redis/by-itself.ts';
import { openBrowser, type Watched } from '../console/scene.ts';
import { serve } from '../doctor/scene.ts';
import { freePort, type Server, startServer, stored } from '../support/redis-server.ts';
import { type Child, openSite, setTokens, type Site, type SiteOptions, startDoctor } from './processes.ts';

const token = '/cgi-bin/stable_token';
const typing = '/cgi-bin/message/custom/typing';
const otherKey = 'anotherkeyofthesamelengthasallothers0123456';

interface Said {
  log: string;
  console: readonly [english: string, chinese: string];
  doctor: readonly [english: string, chinese: string];
}

/** Where all three say the same. */
function everywhere(english: string, chinese: string): Said {
  return { log: english, console: [english, chinese], doctor: [english, chinese] };
}

type Channel = 'wechat' | 'nxcloud';

interface Cause {
  channel: Channel;
  /** As the operator has it wrong. */
  env?: (site: { elsewhere: string; nobody: string }) => Record<string, string>;
  /** The platform's own word. */
  platform?: { path: string; code: number };
  wechat?: SiteOptions['wechat'];
  nxcloud?: SiteOptions['nxcloud'];
  says: Said;
}

const causes: Record<string, Cause> = {
  'a wrong AppSecret': {
    channel: 'wechat',
    env: () => ({ WECHAT_APP_SECRET: 'another' }),
    says: everywhere(
      'Check WECHAT_APP_ID and WECHAT_APP_SECRET against the WeChat console.',
      '请对照微信后台检查 WECHAT_APP_ID 和 WECHAT_APP_SECRET。',
    ),
  },
  'an address that is not in WeChat’s allowlist': {
    channel: 'wechat',
    platform: { path: token, code: 40164 },
    says: everywhere(
      'Add 203.0.113.7 to the IP allowlist in the WeChat console.',
      '请在微信后台把 203.0.113.7 加入 IP 白名单。',
    ),
  },
  'an account without the permission': {
    channel: 'wechat',
    platform: { path: typing, code: 48001 },
    says: everywhere(
      'Typing and custom messages need a certified account: certify it or set WECHAT_TYPING=off.',
      '“正在输入”和客服消息需要认证账号：请完成认证，或设 WECHAT_TYPING=off。',
    ),
  },
  'a wrong WECHAT_TOKEN': {
    channel: 'wechat',
    env: () => ({ WECHAT_TOKEN: 'another' }),
    says: everywhere(
      'The signature does not match: set the same Token here and in the WeChat console.',
      '签名不符：这里和微信后台的 Token 必须相同。',
    ),
  },
  'no EncodingAESKey': {
    channel: 'wechat',
    wechat: { mode: 'secure' },
    env: () => ({ WECHAT_ENCODING_AES_KEY: '' }),
    says: everywhere(
      'The push is encrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.',
      '推送是加密的：请把 WECHAT_ENCODING_AES_KEY 设为后台的 EncodingAESKey。',
    ),
  },
  'a wrong EncodingAESKey': {
    channel: 'wechat',
    wechat: { mode: 'secure' },
    env: () => ({ WECHAT_ENCODING_AES_KEY: otherKey }),
    says: everywhere(
      'The push cannot be decrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.',
      '推送无法解密：请把 WECHAT_ENCODING_AES_KEY 设为后台的 EncodingAESKey。',
    ),
  },
  'a wrong secret of NXCloud’s': {
    channel: 'nxcloud',
    nxcloud: { callbacks: 'md5' },
    env: () => ({ NXCLOUD_ACCESS_SECRET: 'another' }),
    says: everywhere(
      'The header "sign" does not match: it must be made with this account\'s access secret.',
      '请求头 "sign" 不符：它必须用该账号的 access secret 生成。',
    ),
  },
  'a wrong NXCLOUD_BUSINESS_PHONE': {
    channel: 'nxcloud',
    env: () => ({ NXCLOUD_BUSINESS_PHONE: '8613900000000' }),
    says: everywhere(
      'correct NXCLOUD_BUSINESS_PHONE or NXCLOUD_APP_ID, or let the pushes of that number go elsewhere.',
      '请改正 NXCLOUD_BUSINESS_PHONE 或 NXCLOUD_APP_ID，或让那个号码的推送去别处。',
    ),
  },
  'a bot that is down': {
    channel: 'wechat',
    env: ({ nobody }) => ({ WECHAT_BOT_URL: nobody }),
    says: {
      log: 'connection refused (ECONNREFUSED)',
      console: [
        'connection refused (ECONNREFUSED), http://127.0.0.1:',
        '连接被拒绝（ECONNREFUSED），http://127.0.0.1:',
      ],
      doctor: [
        'not reached (ECONNREFUSED). Start the bot, check its URL (botUrl), and that this machine reaches it.',
        '连接不上（ECONNREFUSED）。请启动机器人，检查它的 URL（botUrl），并确认本机连得上它。',
      ],
    },
  },
  'a bot’s URL that leads elsewhere': {
    channel: 'nxcloud',
    env: ({ elsewhere }) => ({ NXCLOUD_BOT_URL: elsewhere }),
    says: {
      log: 'status 404',
      console: ['status 404, http://127.0.0.1:', '状态码 404，http://127.0.0.1:'],
      doctor: [
        "HTTP 404 at its URL. Check the path of the bot's URL.",
        '它的 URL 应答 HTTP 404。请检查机器人 URL 的路径。',
      ],
    },
  },
};

/** The page's own scripts, which have no types. */
async function loadPage<T>(name: string): Promise<T> {
  const file = new URL(`../../src/console/page/${name}`, import.meta.url);
  // oxlint-disable-next-line no-unsafe-type-assertion -- scripts of the page have no types
  return (await import(file.href)) as T;
}

/** What needs attention, as the page says it. */
async function attention(overview: Overview | undefined, language: 'en' | 'zh'): Promise<string> {
  const { learn } = await loadPage<{ learn: (language: string) => Promise<void> }>('words.js');
  const { troublesOf } = await loadPage<{ troublesOf: (overview: Overview) => { says: () => string }[] }>(
    'troubles.js',
  );
  await learn(language);
  return (overview ? troublesOf(overview) : []).map(({ says }) => says()).join('\n');
}

let site: Site | null = null;
let watched: Watched | null = null;
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'keeptyping-'));
});

afterEach(async () => {
  watched?.close();
  await site?.close();
  site = null;
  await rm(dataDir, { recursive: true, force: true });
});

async function open(options: SiteOptions): Promise<{ site: Site; web: Child }> {
  const opened = await openSite({ ...options, env: { DATA_DIR: dataDir, ...options.env } });
  site = opened;
  const web = await opened.web();
  const browser = openBrowser(web.url);
  await browser.logIn(setTokens.CONTROL_TOKEN);
  watched = await browser.watch();
  return { site: opened, web };
}

async function expectConsole([english, chinese]: Said['console']): Promise<void> {
  await expect.poll(() => attention(watched?.overviews.at(-1), 'en')).toContain(english);
  await expect.poll(() => attention(watched?.overviews.at(-1), 'zh')).toContain(chinese);
}

const han = /\p{Script=Han}/u;
/** Words of Redis's. */
const same = /：(noeviction|appendonly|[\d.]+)。$/;

/** In the language of the environment, and in the one that is asked for. */
async function expectDoctor(environment: Record<string, string>, [english, chinese]: Said['doctor']) {
  const visit = async (words: readonly string[], locale: Record<string, string>) => {
    const doctor = startDoctor({ ...environment, ...locale }, words);
    return { code: await doctor.exit, text: doctor.output() };
  };
  // What the processes have seen is noted in Redis a moment later.
  await expect
    .poll(() => visit(['--lang', 'en'], { LANG: 'zh_CN.UTF-8' }), { interval: 500 })
    .toEqual({
      code: 1,
      text: expect.stringContaining(english),
    });
  const inChinese = await visit([], { LANG: 'zh_CN.UTF-8' });
  expect(inChinese).toEqual({ code: 1, text: expect.stringContaining(chinese) });
  const lines = inChinese.text.split('\n').filter((line) => line !== '' && !same.test(line));
  expect(lines.filter((line) => !han.test(line))).toEqual([]);
}

/** As it stands in a line of the log. */
function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Users write until the log says it: on a machine that is behind, the typing of a message may be left out. */
async function pushUntil({ simulator }: Site, channel: Channel, says: Promise<unknown>): Promise<void> {
  const said = says.then(() => true);
  for (let n = 0, isSaid = false; !isSaid; n += 1) {
    void (channel === 'wechat'
      ? simulator.wechat.push({ user: `oUser${n}`, text: 'x' })
      : simulator.nxcloud.push({ user: `86138001380${String(n).padStart(2, '0')}`, text: 'x' }));
    isSaid = await Promise.race([said, wait(2_000, false)]);
  }
}

describe('log, console and doctor say what is wrong, and what mends it', () => {
  test.each(Object.entries(causes))(
    '%s',
    async (_, { channel, env, platform, wechat = {}, nxcloud = {}, says }) => {
      const elsewhere = await serve((_request, response) => void response.writeHead(404).end());
      const nobody = `http://127.0.0.1:${await freePort()}/`;
      const { site, web } = await open({
        env: env?.({ elsewhere, nobody }) ?? {},
        wechat,
        nxcloud,
      });
      if (platform) site.simulator.wechat.faults.set(platform.path, { code: platform.code });
      await pushUntil(site, channel, web.says(inJson(says.log)));
      await expectConsole(says.console);
      await expectDoctor(site.environment, says.doctor);
    },
  );
});

const binary = await findServer(process.env['PATH'] ?? '');

/** What is done to Redis while keeptyping runs, and what is said of it then. */
const redisCauses: Record<string, { spoil: (redis: Redis, server: Server) => Promise<unknown>; says: Said }> =
  {
    'is full': {
      spoil: (redis) => redis.config('SET', 'maxmemory', '1'),
      says: {
        ...everywhere(
          'Redis takes no writes: its memory is full: give it more.',
          'Redis 不接受写入：内存已满，请给它更多内存。',
        ),
        console: ['Redis is full and takes no writes', 'Redis 内存已满，不接受写入'],
      },
    },
    'is a replica': {
      spoil: (redis) => redis.replicaof('127.0.0.1', 1),
      says: everywhere('REDIS_URL has to lead to the primary.', 'REDIS_URL 应指向主节点。'),
    },
    'is away': {
      spoil: (_, server) => server.kill(),
      says: {
        log: 'Redis is out of reach',
        console: ['Check REDIS_URL and the Redis server.', '请检查 REDIS_URL 和 Redis 服务器。'],
        doctor: [
          'not reached (ECONNREFUSED). Start it, check REDIS_URL, and that this machine reaches it.',
          '连接不上（ECONNREFUSED）。请启动它，检查 REDIS_URL，并确认本机连得上它。',
        ],
      },
    },
  };

describe.skipIf(binary === null)('the same of a Redis that', () => {
  test.each(Object.entries(redisCauses))('%s', async (_, { spoil, says }) => {
    const server = await startServer(binary ?? '', { folder: dataDir, options: stored });
    const redis = new Redis(server.url);
    redis.on('error', () => {}); // One of them ends it.
    onTestFinished(async () => {
      redis.disconnect();
      await server.kill();
    });
    const { site, web } = await open({ redisUrl: server.url });
    await spoil(redis, server);
    await pushUntil(site, 'wechat', web.says(inJson(says.log)));
    await expectConsole(says.console);
    await expectDoctor(site.environment, says.doctor);
  });
});
