/** One operation of the control API: what the router carries out and the document describes. */
import type { z } from 'zod';
import type { Platform } from '../core/platform.ts';
import type { View } from '../core/view.ts';
import { faultOf } from './control-fault.ts';

type Which = { is: 'all' } | { is: 'turn'; turn: string } | { is: 'message'; messageId: string };

/** What the queue knows of one conversation and takes for it. Every member rejects when Redis is out of reach. */
export interface Conversations {
  read(platform: Platform, user: string): Promise<View>;
  start(
    platform: Platform,
    user: string,
    messageId: string | null,
  ): Promise<{ is: 'started'; turn: string } | { is: 'refused'; error: string }>;
  stop(platform: Platform, user: string, which: Which): Promise<void>;
  forget(platform: Platform, user: string): Promise<void>;
  pause(platform: Platform, user: string, seconds: number | null): Promise<{ until: number | null }>;
  resume(platform: Platform, user: string): Promise<void>;
}

export interface Place {
  platform: Platform;
  user: string;
}

export type Result = { status: 200; body: unknown } | { status: 204 } | { status: 400; error: string };

interface Described {
  /** Unique: the name that generated clients give it. */
  id: string;
  method: 'get' | 'put' | 'delete';
  /** As OpenAPI writes it: `/conversations/{channel}`. */
  path: string;
  summary: string;
  description?: string;
  /** Where what it takes stands. */
  from: 'query' | 'body';
}

export interface Operation extends Described {
  takes: z.ZodObject;
  /** null: there is nothing to say, which is 204. */
  answer: z.ZodType | null;
  /** Rejects when Redis is out of reach. */
  carryOut(conversations: Conversations, place: Place, unread: unknown): Promise<Result>;
}

type Answered<T> = { is: 'done'; body: T } | { is: 'refused'; error: string };

interface Definition<Takes extends z.ZodObject, Answer extends z.ZodType | null> extends Described {
  takes: Takes;
  answer: Answer;
  run: (
    conversations: Conversations,
    place: Place,
    taken: z.output<Takes>,
  ) => Promise<Answered<Answer extends z.ZodType ? z.input<Answer> : null>>;
}

export function createOperation<Takes extends z.ZodObject, Answer extends z.ZodType | null>({
  run,
  ...described
}: Definition<Takes, Answer>): Operation {
  const { takes, from, answer } = described;
  return {
    ...described,
    carryOut: async (conversations, place, unread) => {
      const read = takes.safeParse(unread);
      if (!read.success) return { status: 400, error: faultOf(from, read.error) };
      const answered = await run(conversations, place, read.data);
      if (answered.is === 'refused') return { status: 400, error: answered.error };
      return answer === null ? { status: 204 } : { status: 200, body: answered.body };
    },
  };
}

export function done<T>(body: T): { is: 'done'; body: T } {
  return { is: 'done', body };
}
