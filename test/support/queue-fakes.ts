/** What the queues are given by hand, and notes what it is asked for. */
import type { Conversation } from '../../src/core/platform.ts';
import type { Place } from '../../src/core/roster.ts';
import type { Event, State } from '../../src/core/state.ts';
import type { Answer } from '../../src/core/wire.ts';
import type { EventQueue } from '../../src/typing/events.ts';
import type { Pressure } from '../../src/typing/pressure.ts';
import type { Shares } from '../../src/typing/shares.ts';

export interface RecordedEvents extends EventQueue {
  /** `user: event`, in order. */
  told: { user: string; event: Event }[];
  /** The senders whose blocks ended. */
  released: string[];
}

/** @param stateAfter What is told back to whoever tells. @default that it is a job */
export function recordEvents(
  stateAfter: (told: RecordedEvents['told'][number]) => State | null = () => null,
): RecordedEvents {
  const told: RecordedEvents['told'] = [];
  const released: string[] = [];
  return {
    told,
    released,
    tell: async ({ user }, event, how) => {
      told.push({ user, event });
      if (how?.release !== undefined) released.push(how.release);
      return stateAfter({ user, event });
    },
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

/** For whoever is never late. */
export const noPressure: Pressure = {
  lateMs: () => 0,
  isBusy: () => false,
  isHurried: () => false,
  calm: async () => {},
  crowd: () => null,
  close: () => {},
};

/** A message of the user, as the web tells it. */
export function inboundEvent(turn: string, phase: 'working' | 'acknowledged' = 'working') {
  return {
    is: 'inbound',
    turn,
    sentAt: 0,
    messageId: turn,
    opensTurn: true,
    interaction: true,
    phase,
  } as const;
}
