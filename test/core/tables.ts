import type { Rules } from '../../src/core/rules.ts';
import { nxcloudRules } from '../../src/nxcloud/rules.ts';
import { wechatRules } from '../../src/wechat/rules.ts';

export interface Table {
  name: string;
  rules: Rules;
  running: 'refuses' | 'swallows';
}

/** Both platforms' rules, each with what its phone does when it is told to show what already shows. */
export const tables: readonly [Table, Table] = [
  { name: 'WeChat', rules: wechatRules, running: 'refuses' },
  { name: 'WhatsApp', rules: nxcloudRules, running: 'swallows' },
];
