import type { NxcloudBotAccount } from './bot-nxcloud.ts';
import type { Breakage } from './bot-parts.ts';
import type { WechatBotAccount } from './bot-wechat.ts';

export interface BotOptions {
  /** ms before the answer, or the same by the user's text. @default 0 */
  thinkMs?: number | ((text: string, user: string) => number);
  /**
   * `passive`: WeChat is answered in the webhook's answer (NXCloud, which has none, as by `api`).
   * `api`: acknowledges at once, and sends through the platform's API later.
   * `waits`: thinks, sends through the platform's API, and acknowledges then.
   * `silent`: acknowledges at once, and never answers.
   * `transfer`: thinks, then passes the user on to a human (NXCloud as by `silent`).
   * `fail`: thinks, then answers with `failStatus`.
   * @default passive
   */
  style?: Style | ((user: string) => Style);
  /** Whether a call for this user is turned away at once, with `failStatus`. @default none is */
  refuses?: (user: string) => boolean;
  /** What goes wrong with a call that comes now, in place of any answer. @default nothing does */
  breaks?: () => Breakage | null;
  /** Style `api`: a push whose `Idempotency-Key` has been acknowledged is acknowledged, and not answered a second time. */
  once?: boolean;
  /**
   * Style `api`: types by itself, at once and, but for `once`, then with a plain `setInterval` of so many ms, until it
   * has heard that its answer is out. @default never
   */
  typeEveryMs?: Typed | ((user: string) => Typed | null);
  /** Style `api`: so long after the platform has taken its answer it hears of that (ms). @default 0 */
  heardAfterMs?: number;
  /** Keeps no calls and no sends, for a bot that runs for long. */
  forgetful?: boolean;
  /** The header `X-Typing` of its webhook answers. @default none */
  typing?: string;
  /** @default 500 */
  failStatus?: number;
  /** @default the text with "echo: " before it */
  answer?: (text: string) => string;
  /** The bot's own copies of the accounts; `apiBase` may be a gateway. */
  wechat?: WechatBotAccount;
  nxcloud?: NxcloudBotAccount;
  /** @default Date.now */
  now?: () => number;
}

type Typed = number | 'once';

type Style = 'passive' | 'api' | 'waits' | 'silent' | 'transfer' | 'fail';
