/**
 * The shape of a conversation's state in Redis; the core itself knows neither Redis nor this. How releases read each
 * other's: redis/stored.ts. What no release could read as the other's has another `v`.
 */
import { z } from 'zod';
import type { Conversation } from '../core/platform.ts';
import {
  type Call,
  type Early,
  type EndedTurn,
  type Evidence,
  type Indicator,
  initialState,
  type Pause,
  type Refusal,
  type State,
  type Turn,
} from '../core/state.ts';
import { jsonOf } from '../core/wire.ts';
import { openObject, schemaOf, word } from '../redis/stored.ts';

const numberOrNone = z.number().nullable();

const turn = schemaOf<Turn>()(
  openObject({
    id: z.string(),
    openedAt: z.number(),
    sentAt: z.number(),
    phase: z.enum(['working', 'acknowledged']),
    shown: z.boolean(),
    renews: z.boolean(),
    hushed: z.boolean(),
    interim: z.boolean(),
    replied: word<Evidence>().nullable(),
    darkUntil: z.number(),
    deliveries: z.number(),
    lapsesAt: numberOrNone,
    litFrom: numberOrNone,
    litMs: z.number(),
    to: z.string().exactOptional(),
    messageId: z.string().exactOptional(),
    missed: z.array(z.string()).exactOptional(),
    failed: z.literal(true).exactOptional(),
    orphan: z.literal(true).exactOptional(),
    doneAt: z.number().exactOptional(),
  }),
);

const ended = schemaOf<EndedTurn>()(
  openObject({
    id: z.string(),
    seen: z.boolean(),
    by: word<Evidence>(),
    asked: z.boolean(),
    openedAt: z.number(),
    at: z.number(),
    answered: z.literal(true).exactOptional(),
  }),
);

const early = schemaOf<Early>()(
  z.discriminatedUnion('is', [
    openObject({
      is: z.literal('acknowledged'),
      turn: z.string(),
      at: z.number(),
      renew: z.boolean().exactOptional(),
      orphan: z.literal(true).exactOptional(),
    }),
    openObject({
      is: z.literal('missed'),
      turn: z.string(),
      at: z.number(),
      delivery: z.string().exactOptional(),
    }),
    openObject({
      is: z.literal('message'),
      by: word<Evidence>(),
      at: z.number(),
      sentAt: z.number(),
      all: z.boolean().exactOptional(),
      slack: z.number().exactOptional(),
      from: z.string().exactOptional(),
    }),
  ]),
);

const span = { since: z.number(), until: z.number() };

const indicator = schemaOf<Indicator>()(
  z.discriminatedUnion('is', [
    openObject({ is: z.literal('dark') }),
    openObject({ is: z.literal('lit'), ...span }),
    openObject({ is: z.literal('maybe'), ...span }),
    openObject({ is: z.literal('cleared'), ...span }),
  ]),
);

const kind = z.enum(['show', 'hide', 'interim']);

const call = schemaOf<Call>()(
  openObject({
    n: z.number(),
    kind,
    at: z.number(),
    by: z.string(),
    messageId: z.string().nullable(),
    crossed: z.boolean(),
  }),
);

const refusal = schemaOf<Refusal>()(
  openObject({
    code: z.number(),
    why: word<Refusal['why']>(),
    until: numberOrNone,
  }),
);

const schema = schemaOf<State>()(
  openObject({
    v: z.literal(initialState.v),
    turns: z.array(turn),
    ended: z.array(ended),
    early: z.array(early),
    lastInteractionAt: numberOrNone,
    messageId: z.string().nullable(),
    messageAt: z.number(),
    indicator,
    call: call.nullable(),
    timer: openObject({ n: z.number(), at: z.number() }).nullable(),
    n: z.number(),
    refusal: refusal.nullable(),
    showAt: z.number(),
    hideAt: z.number(),
    again: z.number(),
    spent: openObject({ since: z.number(), shows: z.number() }),
    pausedUntil: z.number(),
    pausedBy: word<Pause>().nullable(),
    pauseChangedAt: z.number(),
    sends: z.number(),
    heard: z.array(z.string()),
    skipped: openObject({ why: word<NonNullable<State['skipped']>['why']>(), at: z.number() }).nullable(),
    givenUp: openObject({ n: z.number(), kind }).nullable(),
    countedAt: z.number(),
    forgotten: z.boolean(),
  }),
);

/** What is as at the beginning is left out: whoever reads it puts it back. */
export function writeState(state: State): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(state)) {
    const text = JSON.stringify(value);
    if (name === 'v' || text !== initialTexts.get(name)) parts.push(`"${name}":${text}`);
  }
  return `{${parts.join(',')}}`;
}

const initialTexts = new Map(
  Object.entries(initialState).map(([name, value]) => [name, JSON.stringify(value)]),
);

/**
 * A state as it lies in Redis, or where it cannot be read: `v`, `turns.0.phase`…, nothing of what stands there. Fields
 * that it lacks altogether are as at the beginning: the release that wrote it did not know them. About 3 µs more than
 * JSON.parse alone, which takes 5 (1.6 kB: two open turns, eight ended ones).
 */
export function readState(text: string): State | { fault: string } {
  const json = jsonOf(text);
  if (typeof json !== 'object' || json === null) return { fault: 'JSON' };
  const read = schema.safeParse({ ...initialState, v: undefined, ...json });
  return read.success ? read.data : { fault: read.error.issues[0]?.path.join('.') ?? '' };
}

/**
 * Where the state of a name would be can stand whose other name it is: whoever asks for it is led to that user's one
 * conversation. The release before reads that as a state that it cannot read.
 */
export const sameMark = '>';

/** The user whose name it is; null: it is a state, or nothing. */
export function sameAs(raw: unknown): string | null {
  return typeof raw === 'string' && raw.startsWith(sameMark) ? raw.slice(sameMark.length) : null;
}

/** From the oldest of a user's names to the newest; more would be a circle, which the next save breaks. */
export const mostHops = 4;

/** Does it for the conversation that a name leads to. `work` resolves with the next name on the way; null: it is done. */
export async function follow(
  conversation: Conversation,
  work: (conversation: Conversation) => Promise<string | null>,
): Promise<void> {
  let user: string | null = conversation.user;
  for (let hops = 0; user !== null && hops <= mostHops; hops += 1)
    user = await work({ ...conversation, user });
}
