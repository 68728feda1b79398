/** One operation of the control API: what the router carries out and the document describes. */
import type { z } from 'zod';
import type { Platform } from '../core/platform.ts';
import type { Roster } from '../core/served.ts';
import type { View } from '../core/view.ts';
import type { AccountRegister } from './account-register.ts';
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

/** Everything that operations are about. */
export interface Subjects {
  accounts: Roster;
  conversations: Conversations;
  register: AccountRegister;
}

export interface PlatformUser {
  platform: Platform;
  user: string;
}

/** `faults`: all of them, where there may be several. */
export interface Refusal {
  status: 400 | 404 | 409;
  error: string;
  faults?: readonly string[];
}

export type Result = { status: 200 | 201; body: unknown } | { status: 204 } | Refusal;

/** What is asked for, of somebody who is there. Rejects when Redis is out of reach. */
export type Task = (unread: unknown) => Promise<Result>;

export interface Described {
  /** Unique: the name that generated clients give it. */
  id: string;
  method: 'get' | 'put' | 'delete';
  /** As OpenAPI writes it: `/conversations/{channel}`. */
  path: string;
  summary: string;
  description?: string;
  /** Where what it takes stands. */
  from: 'query' | 'body';
  takes: z.ZodType;
  /** null: there is nothing to say, which is 204. */
  answer: z.ZodType | null;
}

export interface Operation extends Described {
  /** What each other status means. */
  statuses: Readonly<Partial<Record<201 | 400 | 404 | 409, string>>>;
  /** Finds what the URL names. */
  at(subjects: Subjects, params: Readonly<Record<string, string>>): Task | Refusal;
}

type Answered<T> = { is: 'done'; body: T } | { is: 'refused'; error: string };

interface Definition<Takes extends z.ZodObject, Answer extends z.ZodType | null> extends Described {
  takes: Takes;
  answer: Answer;
  run: (
    conversations: Conversations,
    place: PlatformUser,
    taken: z.output<Takes>,
  ) => Promise<Answered<Answer extends z.ZodType ? z.input<Answer> : null>>;
}

/** One about a conversation. */
export function createOperation<Takes extends z.ZodObject, Answer extends z.ZodType | null>({
  run,
  ...described
}: Definition<Takes, Answer>): Operation {
  const { takes, from, answer } = described;
  return {
    ...described,
    statuses: { 400: 'What is asked for cannot be', 404: 'No such channel or account' },
    at: ({ accounts, conversations }, params) => {
      const place = placeOf(accounts, params);
      if ('error' in place) return place;
      return async (unread) => {
        const read = takes.safeParse(unread);
        if (!read.success) return { status: 400, error: faultOf(from, read.error) };
        const answered = await run(conversations, place, read.data);
        if (answered.is === 'refused') return { status: 400, error: answered.error };
        return answer === null ? { status: 204 } : { status: 200, body: answered.body };
      };
    },
  };
}

export function done<T>(body: T): { is: 'done'; body: T } {
  return { is: 'done', body };
}

/** An openid, a phone number's digits, a business-scoped user id: two letters, a dot and at most 128 characters. */
export const userPattern = '^[\\w@.=-]{1,131}$';

function placeOf(accounts: Roster, params: Readonly<Record<string, string>>): PlatformUser | Refusal {
  const { channel = '', account = '', user: written = '' } = params;
  const served = accounts.of({ channel, account });
  if (!served) return { status: 404, error: unknownAccount(channel, account) };
  // Platforms name users by such; a phone number's "+" stands in no push.
  const user = written.replace(/^\+/, '');
  if (!new RegExp(userPattern).test(user)) return { status: 400, error: noUser };
  return { platform: served.platform, user };
}

export function unknownAccount(channel: string, account: string): string {
  return `No account "${account}" is configured for channel "${channel}": check the URL against the configuration.`;
}

const noUser =
  'The URL names no user: write the openid, the phone number in digits, or the business-scoped user id.';
