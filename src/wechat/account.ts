import type { Rules } from '../core/rules.ts';

/** One WeChat app: an Official or Service Account, a Mini Program or a Mini Game. Validated and frozen by the configuration, which has more of it. */
export interface WechatAccount {
  channel: 'wechat';
  /** The account's name in the configuration and in URLs. */
  name: string;
  appId: string;
  /** null when `accessTokenUrl` supplies tokens, or in observe-only use without typing. */
  appSecret: string | null;
  /** The push token; during rotation the previous one second. */
  tokens: readonly string[];
  /** 43 characters each; during rotation the previous one second; empty in plain mode. */
  encodingAesKeys: readonly string[];
  /** `auto`: once an encrypted push has come, a plain one is refused; `require`: at once; `any`: both are taken. */
  encryption: 'auto' | 'require' | 'any';
  /** How far the timestamp of a push may be from now, before or after (ms). */
  pushAgeMs: number;
  /** The AppID of the third-party platform that has the account: its pushes are always encrypted, and for that one. */
  component?: string;
  kind: 'official' | 'mini';
  /** Answers `{access_token, expires_in}`; used instead of the secret. */
  accessTokenUrl: string | null;
  /** The `Authorization` header for it. */
  accessTokenAuthorization?: string;
  apiBase: string;
  /** Overrides the path that follows from `kind`: https://developers.weixin.qq.com moved it for Mini Programs. */
  typingPath: string | null;
  afterAck: 'auto' | 'keep' | 'renew';
  /** Texts that the bot sends while it works on, and patterns of them between slashes. */
  noAnswers: readonly string[];
  /** Which kinds start typing, over the defaults: `{"text": true, "event.CLICK": true}`. Names compare without case. */
  starts: Readonly<Record<string, boolean>>;
  /** A text for whoever waits long, sent once per message; `after`: ms, null: when the typing window has run out. */
  interim: { text: string; after: number | null } | null;
  /** How messages that keeptyping sends look: in whose name, and marked as made by an AI. */
  customSend: { kfAccount: string | null; isAiMessage: boolean };
  /** Whether answers that are too long for one message go as several. */
  split: 'auto' | 'off';
  /** The end of the last of them, where more of the answer is left than may be sent. */
  splitEnding: string;
  rules: Readonly<Partial<Rules>>;
}
