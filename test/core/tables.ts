import type { Rules } from '../../src/core/rules.ts';
const wechatRules: Rules = {
  mode: 'continuous',
  afterAck: 'keep',
  lifetime: 15000,
  renewMargin: 60,
  window: 30000,
  windowMargin: 1000,
  againAfter: 2000,
  againTries: 3,
  hideRetry: 1000,
  showRetry: 2000,
  callLimit: 8000,
  startDelay: 0,
  cap: 180000,
  deadline: 600000,
  darkAfterMessage: 2000,
  lapse: 6000,
  deliveries: 3,
  messageClears: true,
  showsPerMinute: 20,
  hides: true,
};
const nxcloudRules: Rules = {
  ...wechatRules,
  afterAck: 'renew',
  lifetime: 25000,
  renewMargin: 300,
  window: 86400000,
  windowMargin: 60000,
  deliveries: 1,
  showsPerMinute: 10,
  hides: false,
};
export interface Table { name: string; rules: Rules; running: 'refuses' | 'swallows' }
export const tables: readonly [Table, Table] = [
  { name: 'WeChat', rules: wechatRules, running: 'refuses' },
  { name: 'WhatsApp', rules: nxcloudRules, running: 'swallows' },
];
