/** The simulated WeChat: its API, its pushes and its users' phones. */
import type { Way } from './api-server.ts';
import { exchange, withQuery } from './deliver.ts';
import { type Random, randomText } from './faults.ts';
import { createStation, type Premises, type PushTo } from './station.ts';
import type { WechatAccountOptions } from './wechat-account.ts';
import { createWechatApi } from './wechat-api.ts';
import { push, type WechatMessage, type WechatPushed } from './wechat-push.ts';
import { createContacts, WECHAT_RULES, type WechatRules } from './wechat-rules.ts';
import { sha1Signature } from './wechat-sealed.ts';
import { createTokens, type Tokens } from './wechat-tokens.ts';

export interface WechatOptions extends WechatAccountOptions {
  appSecret: string;
  kind: 'official' | 'mini';
  rules: Partial<WechatRules>;
  webhookUrl: string | null;
}

/** The account that is simulated unless told otherwise. */
export const WECHAT_DEFAULTS: Readonly<WechatOptions> = Object.freeze<WechatOptions>({
  appId: 'wxba5fad812f8e6fb9',
  appSecret: '0123456789abcdef0123456789abcdef',
  token: 'simulatedtoken',
  encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
  originalId: 'gh_97417a04a28d',
  mode: 'plain',
  format: 'xml',
  kind: 'official',
  rules: {},
  webhookUrl: null,
});

export interface WechatSimulator extends Premises {
  readonly options: Readonly<WechatOptions>;
  readonly tokens: Pick<Tokens, 'expireAll' | 'revokeAll'>;
  /** The console's check of the webhook URL: whether the echostr came back. */
  verify(): Promise<boolean>;
  /** Resolves when the push is accepted or given up. */
  push(message: WechatMessage & PushTo): Promise<WechatPushed>;
}

export async function startWechat(
  overrides: Partial<WechatOptions>,
  { now, random, way }: { now: () => number; random: Random; way: Way },
): Promise<WechatSimulator> {
  const options = { ...WECHAT_DEFAULTS, ...overrides };
  const rules = { ...WECHAT_RULES, ...options.rules };
  const station = createStation({ ...options, channel: 'wechat', lifetime: rules.lifetime, now, way });
  const contacts = createContacts(rules, now);
  const tokens = createTokens({ rules, now, create: () => randomText(random, 136) });
  const shared = { ...options, rules, contacts, tokens, phones: station.phones, now, random };
  const pushed = new Map<string, string>();
  const premises = await station.open(createWechatApi(shared), (user) => {
    for (const [msgId, from] of pushed) if (from === user) pushed.delete(msgId);
    contacts.forget(user);
  });
  const pushes = { ...shared, pushed, webhook: station.webhook, closing: station.closing };
  return {
    ...premises,
    options,
    tokens,
    verify: () => verify(pushes),
    push: ({ url = station.webhook.url, ...message }) => push({ ...pushes, webhook: { url } }, message),
  };
}

async function verify(pushes: Parameters<typeof push>[0]): Promise<boolean> {
  const timestamp = String(Math.floor(pushes.now() / 1000));
  const [nonce, echostr] = [randomText(pushes.random, 10), randomText(pushes.random, 19, '123456789')];
  const query = new URLSearchParams({
    signature: sha1Signature(pushes.token, timestamp, nonce),
    echostr,
    timestamp,
    nonce,
  });
  const url = withQuery(pushes.webhook.url ?? '', query.toString());
  const get = { method: 'GET', url, headers: {}, body: '', signal: pushes.closing } as const;
  const answer = await exchange({ ...get, timeoutMs: pushes.rules.pushTimeout });
  return answer.status === 200 && answer.body.toString() === echostr;
}
