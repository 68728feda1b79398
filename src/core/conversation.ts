/** Who writes with whom. */

export type Channel = 'wechat' | 'nxcloud';

/** One user of one account of one channel. `user` is an openid, a phone number or a BSUID. */
export interface Conversation {
  channel: Channel;
  account: string;
  user: string;
}

/** A user's conversation with this account. */
export function conversationOf(
  { channel, account }: Pick<Conversation, 'channel' | 'account'>,
  user: string,
): Conversation {
  return { channel, account, user };
}

/** The one spelling of a conversation in keys and job data. */
export function conversationId({ channel, account, user }: Conversation): string {
  return `${channel}/${account}/${user}`;
}
