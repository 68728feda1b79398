import type { Bot, Simulator } from '../simulator/index.ts';

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
