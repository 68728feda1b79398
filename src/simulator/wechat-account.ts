import type { Format } from './wechat-sealed.ts';

/** What signing, encrypting and reading take of a simulated account. */
export interface WechatAccountOptions {
  appId: string;
  token: string;
  encodingAesKey: string;
  /** The account's own name in pushes. */
  originalId: string;
  mode: 'plain' | 'compatible' | 'secure';
  format: Format;
}
