/**
 * Both platforms, their users' phones and a slow bot, on 127.0.0.1, with every known rule enforced. The demo, the
 * tests and the bench stand on it; it shares no code with the adapters that it judges.
 */
import type { Way } from './api-server.ts';
import type { Random } from './faults.ts';
import { type NxcloudOptions, type NxcloudSimulator, startNxcloud } from './nxcloud.ts';
import type { Listener } from './phones.ts';
import { startWechat, type WechatOptions, type WechatSimulator } from './wechat.ts';
export { startBot, type Bot, type BotSend } from './bot.ts';
export type { BotOptions } from './bot-options.ts';
export type { Breakage, BotCall } from './bot-parts.ts';
export type { ApiCall, Way } from './api-server.ts';
export type { Delivery } from './deliver.ts';
export type { Fault, Faults } from './faults.ts';
export type { Phone } from './phones.ts';
export {
  COMPONENT_DEFAULTS,
  startComponent,
  type ComponentOptions,
  type ComponentSimulator,
} from './component.ts';
export type { NxcloudMessage, NxcloudStatus } from './nxcloud-envelope.ts';
export type { NxcloudPushed } from './nxcloud-push.ts';
export { NXCLOUD_DEFAULTS, type NxcloudOptions, type NxcloudSimulator } from './nxcloud.ts';
export { NXCLOUD_RULES, type NxcloudRules, type Rearm } from './nxcloud-rules.ts';
export type { Interval, Mark, What } from './phone.ts';
export type { Listener } from './phones.ts';
export type { WechatMessage, WechatPushed } from './wechat-push.ts';
export { WECHAT_DEFAULTS, type WechatOptions, type WechatSimulator } from './wechat.ts';
export type { Premises } from './station.ts';
export { WECHAT_RULES, type WechatRules } from './wechat-rules.ts';

export interface SimulatorOptions {
  wechat?: Partial<WechatOptions>;
  nxcloud?: Partial<NxcloudOptions>;
  /** ms since 1970. Indicators end by this clock. @default Date.now */
  now?: () => number;
  /** @default Math.random */
  random?: Random;
  /** How long a call of either API is under way, there and back (ms). @default no time */
  way?: Way;
}

export interface Simulator {
  wechat: WechatSimulator;
  nxcloud: NxcloudSimulator;
  /** Hears every later mark of every phone. Returns the way to stop. */
  on: (listener: Listener) => () => void;
  /** Hangs up everywhere. Phones and calls can still be read. */
  close(): Promise<void>;
}

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { now = Date.now, random = Math.random, way = () => 0 } = options;
  const wechat = await startWechat(options.wechat ?? {}, { now, random, way });
  const nxcloud = await startNxcloud(options.nxcloud ?? {}, { now, random, way });
  return {
    wechat,
    nxcloud,
    on(listener) {
      const stops = [wechat.on(listener), nxcloud.on(listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
    async close() {
      await Promise.all([wechat.close(), nxcloud.close()]);
    },
  };
}
