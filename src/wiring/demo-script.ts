import type { Mark, Simulator } from '../simulator/index.ts';
import { createTimeline, summaryOf } from './timeline.ts';

/** Who writes what, and how long the bot thinks about it. */
export interface Script {
  wechat: { user: string; text: string; thinkMs: number };
  nxcloud: { user: string; text: string; thinkMs: number };
}

export const played: Script = {
  wechat: { user: 'oDemoUser', text: '你好，请介绍一下深圳', thinkMs: 24_000 },
  nxcloud: { user: '8613800138000', text: 'Tell me about Shenzhen, please', thinkMs: 40_000 },
};

export interface Play {
  port: number;
  script: Script;
  /** Where the lines go. */
  say: (text: string) => void;
}

/** Plays one conversation on each platform and shows it as it happens; what visitors of the page write is not shown. */
export async function playScript(simulator: Simulator, { port, script, say }: Play): Promise<void> {
  say(intro(`http://127.0.0.1:${port}`, script));
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

type Platform = Simulator['wechat'] | Simulator['nxcloud'];

async function playTurn(platform: Platform, { user, text }: { user: string; text: string }): Promise<string> {
  const phone = platform.phone(user);
  const pushed = platform.push({ user, text });
  const sent = await phone.next((mark: Mark) => mark.what === 'sent');
  const answered = await phone.next((mark: Mark) => mark.what === 'received');
  await pushed;
  return summaryOf(phone, { from: sent.at, to: answered.at });
}

function intro(base: string, script: Script): string {
  return `keeptyping demo: no account is configured, so the platforms, the phones and the bot are simulated.
Two phones to try it on, in a browser: ${base}/

The bot takes ${script.wechat.thinkMs / 1000} s on WeChat and ${script.nxcloud.thinkMs / 1000} s on WhatsApp. Everything goes through the real webhooks:
  ${base}/webhooks/wechat
  ${base}/webhooks/nxcloud
`;
}

const outro = `To use it for real, set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL (or NXCLOUD_…), start again,
and put the webhook URL into the platform's console: see README.md. Ctrl-C ends the demo.`;
