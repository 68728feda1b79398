/** Object literals of the queue's narrow ports, which note what they are asked for. */
import type {
  BotAnswer,
  Conversation,
  LateSend,
  Outcome,
  Platform,
  Target,
} from '../../src/core/platform.ts';
import type { Place } from '../../src/core/roster.ts';
import type { Rules } from '../../src/core/rules.ts';
import type { Event } from '../../src/core/state.ts';
import type { Answer } from '../../src/core/wire.ts';
import type { EventQueue } from '../../src/typing/events.ts';
import type { Shares } from '../../src/typing/shares.ts';
import { wechatRules } from '../../src/wechat/rules.ts';

export interface RecordedEvents extends EventQueue {
  /** `user: event`, in order. */
  told: { user: string; event: Event }[];
  armed: { n: number; at: number }[];
  disarmed: number[];
  /** The senders whose blocks ended. */
  released: string[];
}

export function recordEvents(): RecordedEvents {
  const told: RecordedEvents['told'] = [];
  const armed: RecordedEvents['armed'] = [];
  const disarmed: number[] = [];
  const released: string[] = [];
  return {
    told,
    armed,
    disarmed,
    released,
    tell: async ({ user }, event, how) => {
      told.push({ user, event });
      if (how?.release !== undefined) released.push(how.release);
    },
    arm: async (_, timer) => {
      armed.push(timer);
    },
    disarm: async (_, n) => {
      disarmed.push(n);
    },
  };
}

export interface Scripted {
  channel?: 'wechat' | 'nxcloud';
  rules?: Partial<Rules>;
  show?: () => Promise<Outcome> | Outcome;
  /** `absent`: nothing can take an indicator away on this platform. */
  hide?: 'absent' | (() => Promise<Outcome> | Outcome);
  answer?: BotAnswer['is'];
  /** `absent`: webhook answers of this platform never hold messages. */
  sendLate?: 'absent' | LateSend;
}

export interface ScriptedPlatform extends Platform {
  /** `show openid` and `hide openid`, in order. */
  calls: string[];
  sent: { user: string; body: string }[];
}

export function scriptedPlatform(script: Scripted = {}): ScriptedPlatform {
  const { channel = 'wechat', answer = 'message', sendLate = { is: 'sent' } } = script;
  const { hide = (): Outcome => ({ is: 'done' }) } = script;
  const calls: string[] = [];
  const sent: ScriptedPlatform['sent'] = [];
  return {
    calls,
    sent,
    channel,
    account: 'shop',
    rules: { ...wechatRules, ...script.rules },
    needsMessageId: channel === 'nxcloud',
    acknowledgement: answerOf('success'),
    receive: () => Promise.reject(new Error('the queue receives no push')),
    show: async ({ user }) => {
      calls.push(`show ${user}`);
      return script.show?.() ?? { is: 'done' };
    },
    ownCalls: { reads: () => false, read: () => null, verdict: () => ({ is: 'unknown' }) },
    refer: (user, messageId) => ({ turn: `${user}-${messageId}`, messageId }),
    explain: (code) => `Code ${code} is explained.`,
    readAnswer: async () => ({ is: answer }),
    ...(hide === 'absent'
      ? {}
      : {
          hide: async ({ user }: Target): Promise<Outcome> => {
            calls.push(`hide ${user}`);
            return hide();
          },
        }),
    ...(sendLate === 'absent'
      ? {}
      : {
          sendLate: async (user: string, { body }: Answer): Promise<LateSend> => {
            sent.push({ user, body: textOf(body) });
            return sendLate;
          },
        }),
  };
}

export function answerOf(text: string, status = 200): Answer {
  return { status, headers: [['Content-Type', 'text/xml']], body: Buffer.from(text) };
}

export function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString();
}

let conversations = 0;

/** A conversation that no other test has. */
export function newConversation(channel: Conversation['channel'] = 'wechat'): Conversation {
  conversations += 1;
  return { channel, account: 'shop', user: `openid-${conversations}` };
}

/** A promise that is settled from outside. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let settle: ((value: T) => void) | undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle?.(value) };
}

/** Every account may take so many places. */
export function atMost(places: number): Shares {
  const taken = new Map<string, number>();
  const of = ({ channel, account }: Place): number => taken.get(`${channel}/${account}`) ?? 0;
  const change = (place: Place, by: number): void =>
    void taken.set(`${place.channel}/${place.account}`, of(place) + by);
  return {
    isCrowded: (place, most) => of(place) >= Math.min(places, most ?? places),
    turnAway: () => 100,
    enter: (place) => {
      change(place, 1);
      return () => change(place, -1);
    },
  };
}
