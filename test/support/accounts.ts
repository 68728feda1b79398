/** An account of each platform, as the configuration has it with its defaults. */
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import type { WechatComponent } from '../../src/wechat/component/component.ts';

/** What every account has, and says nothing else about. */
const common = {
  afterAck: 'auto',
  starts: {},
  rules: {},
} as const;

/** What is WeChat's alone of an account, whoever holds its secrets. */
const official = {
  ...common,
  kind: 'official',
  typingPath: null,
  interim: null,
  customSend: { kfAccount: null, isAiMessage: false },
  // Published pushes are years old.
  pushAgeMs: Number.POSITIVE_INFINITY,
  noAnswers: [],
  split: 'auto',
  splitEnding: '…（未完）',
} as const;

export const wechatAccount: WechatAccount = {
  ...official,
  channel: 'wechat',
  name: 'default',
  appId: 'wxba5fad812f8e6fb9',
  appSecret: 'secret',
  tokens: ['AAAAA'],
  encodingAesKeys: [],
  encryption: 'auto',
  accessTokenUrl: null,
  apiBase: 'https://api.weixin.qq.com',
};

export const nxcloudAccount: NxcloudAccount = {
  ...common,
  channel: 'nxcloud',
  name: 'sales',
  accessKey: 'fme2na3kdi3ki',
  accessSecrets: ['abciiiko2k3'],
  appKey: 'xxx',
  appId: null,
  businessPhone: '8615800001795',
  verifyCallbacks: 'auto',
  pushMessages: 100,
  messagesPerMinute: 6_000,
  unsignedPerMinute: 1_200,
  templates: 'ignore',
  groups: 'ignore',
  noAnswers: [],
  apiBase: 'https://api2.nxcloud.com',
};

/** A third-party platform. */
export const vendor: WechatComponent = {
  name: 'vendor',
  appId: 'wx60a1f7d3c5b29e84',
  appSecret: 'component-secret',
  tokens: ['AAAAA'],
  encodingAesKeys: ['abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'],
  apiBase: 'https://api.weixin.qq.com',
  authorizerTokenUrl: null,
  authorizerTokenAuthorization: null,
  forwardUrl: null,
  minis: [],
  template: official,
};
