import type { Rules } from '../../src/core/rules.ts';
import { nxcloudRules } from '../../src/nxcloud/rules.ts';
import { wechatRules } from '../../src/wechat/rules.ts';
import { play, type Scheduled } from './scenario.ts';

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

/** A story on each of them, as a line. */
export const wechatLine = (...events: Scheduled[]) => play({ rules: wechatRules, events });
export const whatsappLine = (...events: Scheduled[]) => play({ rules: nxcloudRules, events });
