import type { Rules } from '../core/rules.ts';

/** One NXCloud app with its WhatsApp business phone. Validated and frozen by the configuration, which has more of it. */
export interface NxcloudAccount {
  channel: 'nxcloud';
  /** The account's name in the configuration and in URLs. */
  name: string;
  accessKey: string;
  /** Signs our calls (the first one); checks callbacks (each one, during rotation). */
  accessSecrets: readonly string[];
  appKey: string;
  /** Digits with country code. null: taken from each push. */
  businessPhone: string | null;
  /** The `app_id` of its pushes, digits. null: any. */
  appId: string | null;
  /** `auto`: checked when the headers carry one, and asked for once a valid one has come; `require`: a push without one is refused; `off`. */
  verifyCallbacks: 'auto' | 'require' | 'off';
  /** A push with more entries in one of its lists is not read. */
  pushMessages: number;
  /** Of signed and of unsigned pushes, so much is taken up within a minute. */
  messagesPerMinute: number;
  unsignedPerMinute: number;
  /** What the `sent` of a marketing or utility template is: `answer` ends the turns before it. */
  templates: 'ignore' | 'answer';
  /** `conversation`: what is said in a group waits for an answer in it; `ignore`: nothing is typed there. */
  groups: 'ignore' | 'conversation';
  apiBase: string;
  afterAck: 'auto' | 'keep' | 'renew';
  /** Texts that the bot sends while it works on, and patterns of them between slashes. */
  noAnswers: readonly string[];
  /** Which message types start typing, over the defaults: `{"reaction": true}`. */
  starts: Readonly<Record<string, boolean>>;
  rules: Readonly<Partial<Rules>>;
}
