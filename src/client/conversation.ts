/** One user of one account. */
export interface Conversation {
  channel: 'wechat' | 'nxcloud';
  /** @default 'default', the account that keeptyping's environment variables configure */
  account?: string | undefined;
  /** As the push names it. WeChat: the openid. WhatsApp: the phone number, country code first, or the BSUID. */
  user: string;
}

/** A message that waits for its answer. */
export interface Message extends Conversation {
  /**
   * The id that the push gives it (WeChat: `MsgId`; WhatsApp: `messages[].id`). Without it the user's newest open
   * message is meant. WhatsApp needs it unless the push itself went through keeptyping.
   */
  messageId?: string | undefined;
}

export interface PauseOptions {
  /** @default until `resume` */
  seconds?: number | undefined;
}

/**
 * The path of a conversation in the control API.
 *
 * @throws {Error} for a conversation that has none; its sentence says why
 */
export function pathOf({ channel, account = 'default', user }: Conversation): string {
  const names = Object.entries({ channel, account, user }).map(([name, value]) => {
    // Dots alone would climb out of the path.
    return encodeURIComponent(textOnly(name, /^\.{1,2}$/.test(value) ? '' : value));
  });
  return `/conversations/${names.join('/')}`;
}

/**
 * The message's id, if one is given.
 *
 * @throws {Error} for an id that can mean no message; "" would mean all of them
 */
export function messageIdOf({ messageId }: Message): string | undefined {
  return messageId === undefined ? undefined : textOnly('messageId', messageId);
}

/** Callers in plain JavaScript pass what they like; a WeChat MsgId that was read as a number has lost digits. */
function textOnly(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new TypeError(`${name} is no usable text: pass it as the push has it.`);
}
