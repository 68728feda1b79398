import { randomBytes, randomUUID } from 'node:crypto';
import { type Config, loadConfig } from '../config/index.ts';
import { addressOf } from '../core/bot.ts';
import type { Log } from '../core/ports.ts';
import { createLog } from '../log.ts';
import type { Handler } from '../pages/pages.ts';
import {
  type Bot,
  type Mark,
  type Phone,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../simulator/index.ts';
import type { Releases } from '../wiring/releases.ts';
import type { OwnWorker } from '../wiring/worker.ts';
import { createDemo } from './demo.ts';
import { createHandler } from './handler.ts';
import type { VisitorLimits } from './visitors.ts';
import { openDemoWorld } from './world.ts';

export interface OpenDemo {
  config: Config;
  log: Log;
  simulator: Simulator;
  page: Handler;
  /** Connects the simulated platforms to the webhooks of this port; plays a conversation on each in the terminal. */
  play(port: number, running: { releases: Releases; worker: Pick<OwnWorker, 'restartAfter'> }): Promise<void>;
  close(): Promise<void>;
}

export interface OpenDemoOptions {
  /** null: nothing is played in the terminal. @default a conversation on each platform; with `LOG_FORMAT=json` null */
  script?: DemoScript | null;
  /** Where the lines go. @default standard output */
  say?: (text: string) => void;
  /** Other rules than the platforms' own… */
  simulator?: SimulatorOptions;
  /** …and keeptyping's settings to them. */
  environment?: Readonly<Record<string, string>>;
  /** Of the bot that types by itself (ms). @default 5000 */
  typeEveryMs?: number;
  limits?: Partial<VisitorLimits>;
}

/** Simulated platforms, phones and a slow bot, for whoever starts keeptyping without an account. */
export async function openDemo(base: Config, options: OpenDemoOptions = {}): Promise<OpenDemo> {
  const { script = base.logFormat === 'json' ? null : played, say = print, typeEveryMs = 5_000 } = options;
  const ownBot = base.demoBotUrl;
  const simulator = await startSimulator(withSecrets(options.simulator, base.demoBotToken));
  let worker: Pick<OwnWorker, 'restartAfter'> | null = null;
  const { world, bot } = await openDemoWorld({
    simulator,
    typeEveryMs,
    thinkMs: (text) => thinkingOf(script, text),
    restartWorker: async (ms) => worker?.restartAfter(ms),
  });
  const demo = createDemo({ world, newId: randomUUID, limits: options.limits });
  const close = async (): Promise<void> => {
    demo.close();
    await Promise.all([bot.close(), simulator.close()]);
  };
  return {
    config: configOf(simulator, bot, {
      ...(ownBot === null ? {} : { WECHAT_BOT_URL: ownBot }),
      ...options.environment,
    }),
    log: createLog({ level: script === null ? base.logLevel : 'warn', format: base.logFormat }),
    simulator,
    page: createHandler(demo),
    close,
    async play(port, { releases, ...running }) {
      worker = running.worker;
      // Closed first: a demo that is ended waits for nobody's answer, and its pages would keep the server open.
      releases.add('demo', close);
      simulator.wechat.connect(`http://127.0.0.1:${port}/webhooks/wechat`);
      simulator.nxcloud.connect(`http://127.0.0.1:${port}/webhooks/nxcloud`);
      if (script !== null)
        await playScript(simulator, { port, script, say, beside: base.accounts.length, ownBot });
    },
  };
}

/** The webhooks may be open to the world: only the simulated platforms can sign for them. */
function withSecrets(
  { wechat, nxcloud, ...others }: SimulatorOptions = {},
  token: string | null = null,
): SimulatorOptions {
  return {
    ...others,
    wechat: { token: token ?? secret(), appSecret: secret(), ...wechat },
    nxcloud: { accessSecret: secret(), callbacks: 'sha256', ...nxcloud },
  };
}

/** The process's own settings with the simulated accounts alone: a demo never comes near a real one. */
function configOf(simulator: Simulator, bot: Bot, environment: OpenDemoOptions['environment'] = {}): Config {
  const real = /^(WECHAT|NXCLOUD|BOT_QUEUE|ACCOUNTS_KEY|REDIS|OTEL)|^(CONFIG_DIR|DATA_DIR)$/;
  const own = Object.entries(process.env).filter(([name]) => !real.test(name));
  const simulated = {
    ...simulatedEnvironment(simulator, bot),
    NXCLOUD_VERIFY_CALLBACKS: 'require',
    DEMO: '1',
  };
  return loadConfig({ ...Object.fromEntries(own), ...simulated, ...environment }, () => null).config;
}

function secret(): string {
  return randomBytes(16).toString('hex');
}

function thinkingOf(script: DemoScript | null, text: string): number {
  if (script === null) return 0;
  return text === script.wechat.text ? script.wechat.thinkMs : script.nxcloud.thinkMs;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Who writes what, and how long the bot thinks about it. */
export interface DemoScript {
  wechat: { user: string; text: string; thinkMs: number };
  nxcloud: { user: string; text: string; thinkMs: number };
}

const played: DemoScript = {
  wechat: { user: 'oDemoUser', text: '你好，请介绍一下深圳', thinkMs: 24_000 },
  nxcloud: { user: '8613800138000', text: 'Tell me about Shenzhen, please', thinkMs: 40_000 },
};

interface Play {
  port: number;
  script: DemoScript;
  /** Real accounts that are configured, and left alone. */
  beside: number;
  /** Whose bot answers on WeChat; null: the simulated one. */
  ownBot: string | null;
  /** Where the lines go. */
  say: (text: string) => void;
}

/** Plays one conversation on each platform and shows it as it happens; what visitors of the page write is not shown. */
async function playScript(simulator: Simulator, { port, script, beside, ownBot, say }: Play): Promise<void> {
  say(intro(`http://127.0.0.1:${port}`, { script, beside, ownBot }));
  const timeline = createTimeline(Date.now());
  simulator.on((mark) => {
    if (mark.user !== script[mark.channel].user) return;
    const line = timeline(mark);
    if (line !== null) say(line);
  });
  const turns = [playTurn(simulator.wechat, script.wechat), playTurn(simulator.nxcloud, script.nxcloud)];
  const [inWechat, inWhatsapp] = await Promise.all(turns);
  say(`\nWeChat:   ${inWechat}\nWhatsApp: ${inWhatsapp}\n\n${outro}`);
}

type SimulatedPlatform = Simulator['wechat'] | Simulator['nxcloud'];

async function playTurn(
  platform: SimulatedPlatform,
  { user, text }: { user: string; text: string },
): Promise<string> {
  const phone = platform.phone(user);
  const pushed = platform.push({ user, text });
  const sent = await phone.next((mark: Mark) => mark.what === 'sent');
  const answered = await phone.next((mark: Mark) => mark.what === 'received');
  await pushed;
  return summaryOf(phone, { from: sent.at, to: answered.at });
}

function intro(base: string, { script, beside, ownBot }: Pick<Play, 'script' | 'beside' | 'ownBot'>): string {
  const why = beside === 0 ? 'no account is configured, so' : 'your accounts are left alone, and';
  const [wechat, whatsapp] = [script.wechat.thinkMs / 1000, script.nxcloud.thinkMs / 1000];
  const simulated = ownBot === null ? 'the phones and the bot' : 'and the phones';
  const bots =
    ownBot === null
      ? `The bot takes ${wechat} s on WeChat and ${whatsapp} s on WhatsApp.`
      : `On WeChat your bot answers, ${addressOf(ownBot)}; on WhatsApp a simulated one takes ${whatsapp} s.`;
  return `keeptyping demo: ${why} the platforms${ownBot === null ? ',' : ''} ${simulated} are simulated.
Two phones to try it on, in a browser: ${base}/

${bots} Everything goes through the real webhooks:
  ${base}/webhooks/wechat
  ${base}/webhooks/nxcloud
`;
}

const outro = `To use it for real, set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL (or NXCLOUD_…), start again,
and put the webhook URL into the platform's console: see README.md. Ctrl-C ends the demo.`;

/** The environment variables with which keeptyping serves the simulator's two accounts and its bot. */
export function simulatedEnvironment(
  { wechat, nxcloud }: Simulator,
  bot: Pick<Bot, 'url'>,
): Record<string, string> {
  return {
    WECHAT_APP_ID: wechat.options.appId,
    WECHAT_APP_SECRET: wechat.options.appSecret,
    WECHAT_TOKEN: wechat.options.token,
    WECHAT_ENCODING_AES_KEY: wechat.options.encodingAesKey,
    WECHAT_KIND: wechat.options.kind,
    WECHAT_API_BASE: wechat.apiBase,
    WECHAT_BOT_URL: bot.url,
    NXCLOUD_ACCESS_KEY: nxcloud.options.accessKey,
    NXCLOUD_ACCESS_SECRET: nxcloud.options.accessSecret,
    NXCLOUD_APP_KEY: nxcloud.options.appKey,
    NXCLOUD_BUSINESS_PHONE: nxcloud.options.businessPhone,
    NXCLOUD_API_BASE: nxcloud.apiBase,
    NXCLOUD_BOT_URL: bot.url,
  };
}

/** A line for what a phone's user, or the platform, sees at a moment; null: nothing worth a line. */
export function createTimeline(startedAt: number): (mark: Mark) => string | null {
  // Phones whose indicator has been on since their user's last message.
  const typed = new Set<string>();
  return (mark) => {
    const renewed = mark.what === 'typing-on' && typed.has(mark.user);
    if (mark.what === 'typing-on') typed.add(mark.user);
    if (mark.what === 'sent') typed.delete(mark.user);
    const what = renewed ? 'indicator ● typing… (renewed)' : lineOfMark(mark);
    if (what === null) return null;
    const seconds = ((mark.at - startedAt) / 1000).toFixed(1).padStart(6);
    return `${seconds} s  ${mark.channel === 'wechat' ? 'WeChat  ' : 'WhatsApp'}  ${what}`;
  };
}

function lineOfMark({ what, detail }: Mark): string | null {
  switch (what) {
    case 'sent':
      return `user      ▸ ${detail}`;
    case 'typing-on':
      return 'indicator ● typing…';
    case 'typing-off':
      return `indicator ○ off (${detail})`;
    case 'received':
      return `bot       ◂ ${detail}`;
    case 'refused':
      return `platform  ✗ refused a call (${detail})`;
    case 'wasted':
      return `platform  ✗ a call changed nothing (${detail})`;
    case 'notice':
      return `platform  ✗ “service unavailable” (${detail})`;
    case 'handed-over':
      return 'platform    handed over to a human';
    case 'read':
    case 'call':
      return null;
  }
}

/** What a turn was like for its user, from the message to the answer. */
function summaryOf(phone: Phone, span: { from: number; to: number }): string {
  const waited = ((span.to - span.from) / 1000).toFixed(1);
  const cover = (phone.cover(span.from, span.to) * 100).toFixed(1);
  const dark = phone.ghost(span.to) === 0 ? 'nothing after the answer' : 'a ghost after the answer';
  return `waited ${waited} s, typing was shown for ${cover} % of it, ${dark}`;
}
