/**
 * WeChat's rules for typing and sending, and what they need to remember of each user.
 * Source: https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/typing.md and
 * https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
 */

/** Times in ms. */
export interface WechatRules {
  /** One Typing shows so long. */
  lifetime: number;
  /** Typing needs a message in either direction less than this ago. */
  window: number;
  /** Sends after a user's message (a count)… */
  quota: number;
  /** …and how long they are good for. */
  quotaLifetime: number;
  /** Sends after a menu click, a scan or a subscription (a count), and how long they are good for. */
  eventQuota: number;
  eventQuotaLifetime: number;
  /** Whether those events count as an interaction for the window: no page says. */
  eventsInteract: boolean;
  tokenLifetime: number;
  /** In normal mode stable_token changes the token so long before its end; both are valid then. */
  tokenRenewal: number;
  /** The webhook is given so long for its answer. */
  pushTimeout: number;
  /** How often a push is delivered in all (a count). */
  deliveries: number;
}

export const WECHAT_RULES: Readonly<WechatRules> = Object.freeze({
  lifetime: 15_000,
  window: 30_000,
  quota: 5,
  quotaLifetime: 172_800_000,
  eventQuota: 3,
  eventQuotaLifetime: 60_000,
  eventsInteract: false,
  tokenLifetime: 7_200_000,
  tokenRenewal: 300_000,
  pushTimeout: 5_000,
  deliveries: 3,
});

interface Contact {
  /** Last message in either direction. */
  interaction: number;
  sendsLeft: number;
  sendsUntil: number;
}

/** What the platform remembers of its users. Codes are WeChat's; 0 is yes. */
export interface Contacts {
  /** The user wrote (`null`) or caused this event. */
  heard(user: string, event: string | null): void;
  /** A message went to the user; `counts`: against the quota. */
  told(user: string, counts: boolean): void;
  mayType(user: string): 0 | 40003 | 45080;
  maySend(user: string): 0 | 40003 | 45015 | 45047;
  forget(user: string): void;
}

const QUOTA_EVENTS = new Set([
  'click',
  'scancode_push',
  'scancode_waitmsg',
  'subscribe',
  'scan',
  'user_enter_tempsession',
]);

export function createContacts(rules: WechatRules, now: () => number): Contacts {
  const contacts = new Map<string, Contact>();
  return {
    heard(user, event) {
      const contact = contacts.get(user) ?? { interaction: -Infinity, sendsLeft: 0, sendsUntil: -Infinity };
      contacts.set(user, contact);
      if (event === null || rules.eventsInteract) contact.interaction = now();
      if (event === null) grant(contact, rules.quota, now() + rules.quotaLifetime);
      else if (QUOTA_EVENTS.has(event.toLowerCase())) {
        grant(contact, rules.eventQuota, now() + rules.eventQuotaLifetime);
      }
    },
    told(user, counts) {
      const contact = contacts.get(user);
      if (contact === undefined) return;
      contact.interaction = now();
      if (counts) contact.sendsLeft -= 1;
    },
    mayType(user) {
      const contact = contacts.get(user);
      if (contact === undefined) return 40003;
      return now() - contact.interaction < rules.window ? 0 : 45080;
    },
    maySend(user) {
      const contact = contacts.get(user);
      if (contact === undefined) return 40003;
      if (now() >= contact.sendsUntil) return 45015;
      return contact.sendsLeft > 0 ? 0 : 45047;
    },
    forget: (user) => void contacts.delete(user),
  };
}

/** An event never takes away what a message has granted. */
function grant(contact: Contact, sends: number, until: number): void {
  if (until < contact.sendsUntil && contact.sendsLeft >= sends) return;
  contact.sendsLeft = sends;
  contact.sendsUntil = until;
}
