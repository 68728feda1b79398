import { loadConfig, type Config } from '../config/index.ts';
import type { Log } from '../core/log.ts';
import { createLog } from '../log.ts';
import { startBot, startSimulator, type Mark, type Simulator } from '../simulator/index.ts';
import type { Releases } from './releases.ts';
import { simulatedEnvironment } from './simulated.ts';
import { createTimeline, summaryOf } from './timeline.ts';

export interface Demo {
  config: Config;
  log: Log;
  /** Plays one conversation on each platform and shows it as it happens. */
  play(port: number, releases: Releases): Promise<void>;
}

/** Who writes what, and how long the bot thinks about it. */
export interface Script {
  wechat: { user: string; text: string; thinkMs: number };
  nxcloud: { user: string; text: string; thinkMs: number };
}

export interface DemoOptions {
  script?: Script;
  /** Where the lines go. @default standard output */
  say?: (text: string) => void;
}

const played: Script = {
  wechat: { user: 'oDemoUser', text: '你好，请介绍一下深圳', thinkMs: 24_000 },
  nxcloud: { user: '8613800138000', text: 'Tell me about Shenzhen, please', thinkMs: 40_000 },
};

/** Simulated platforms, phones and a slow bot, for whoever starts keeptyping without an account. */
export async function openDemo(
  base: Config,
  { script = played, say = print }: DemoOptions = {},
): Promise<Demo> {
  const simulator = await startSimulator();
  const { wechat, nxcloud } = simulator;
  const bot = await startBot({
    thinkMs: (text) => (text === script.wechat.text ? script.wechat.thinkMs : script.nxcloud.thinkMs),
    answer: (text) => `(an answer to “${text}”)`,
    wechat: { ...wechat.options, apiBase: wechat.apiBase },
    nxcloud: { ...nxcloud.options, apiBase: nxcloud.apiBase },
  });
  const environment = { ...process.env, ...simulatedEnvironment(simulator, bot) };
  const { config } = loadConfig(environment);
  const log = createLog({ level: 'warn', format: base.logFormat });
  const play = (port: number, releases: Releases): Promise<void> => {
    // Closed first: a demo that is ended waits for nobody's answer.
    releases.add('demo', () => Promise.all([bot.close(), simulator.close()]));
    return playScript(simulator, { port, script, say });
  };
  return { config, log, play };
}

interface Play extends Required<DemoOptions> {
  port: number;
}

async function playScript(simulator: Simulator, { port, script, say }: Play): Promise<void> {
  const base = `http://127.0.0.1:${port}/webhooks`;
  simulator.wechat.connect(`${base}/wechat`);
  simulator.nxcloud.connect(`${base}/nxcloud`);
  say(intro(base, script));
  const timeline = createTimeline(Date.now());
  simulator.on((mark) => {
    const line = timeline(mark);
    if (line !== null) say(line);
  });
  const turns = [playTurn(simulator.wechat, script.wechat), playTurn(simulator.nxcloud, script.nxcloud)];
  const [inWechat, inWhatsapp] = await Promise.all(turns);
  say(`\nWeChat:   ${inWechat}\nWhatsApp: ${inWhatsapp}\n\n${outro}`);
}

type Platform = Simulator['wechat'] | Simulator['nxcloud'];

async function playTurn(platform: Platform, { user, text }: { user: string; text: string }): Promise<string> {
  const phone = platform.phone(user);
  const pushed = platform.push({ user, text });
  const sent = await phone.next((mark: Mark) => mark.what === 'sent');
  const answered = await phone.next((mark: Mark) => mark.what === 'received');
  await pushed;
  return summaryOf(phone, { from: sent.at, to: answered.at });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function intro(base: string, script: Script): string {
  return `keeptyping demo: no account is configured, so the platforms, the phones and the bot are simulated.
The bot takes ${script.wechat.thinkMs / 1000} s on WeChat and ${script.nxcloud.thinkMs / 1000} s on WhatsApp. Everything goes through the real webhooks:
  ${base}/wechat
  ${base}/nxcloud
`;
}

const outro = `To use it for real, set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL (or NXCLOUD_…), start again,
and put the webhook URL into the platform's console: see README.md. Ctrl-C ends the demo.`;
