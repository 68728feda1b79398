/** One operation of the control API: what the router carries out and the document describes. */
import bodyParser from 'body-parser';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Platform } from '../core/platform.ts';
import type { Place, Roster } from '../core/roster.ts';
import type { Conversations } from '../typing/conversations.ts';

/** Everything that operations are about. */
export interface Subjects {
  accounts: Roster;
  conversations: Conversations;
  register: AccountRegister;
}

interface PlatformUser {
  platform: Platform;
  user: string;
}

/** `faults`: all of them, where there may be several. */
export interface OperationRefusal {
  status: 400 | 404 | 409;
  error: string;
  faults?: readonly string[];
}

export type Result = { status: 200 | 201; body: unknown } | { status: 204 } | OperationRefusal;

/** What is asked for, of somebody who is there. Rejects when Redis is out of reach. */
export type CarryOut = (unread: unknown) => Promise<Result>;

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
  takes: z.ZodType;
  /** null: there is nothing to say, which is 204. */
  answer: z.ZodType | null;
}

export interface Operation extends Described {
  /** What each other status means. */
  statuses: Readonly<Partial<Record<201 | 400 | 404 | 409, string>>>;
  /** Finds what the URL names. */
  at(subjects: Subjects, params: Readonly<Record<string, string>>): CarryOut | OperationRefusal;
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
      const place = platformUserOf(accounts, params);
      if ('error' in place) return place;
      return async (unread) => {
        const read = takes.safeParse(unread);
        if (!read.success) return { status: 400, error: bodyFault(from, read.error) };
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

function platformUserOf(
  accounts: Roster,
  params: Readonly<Record<string, string>>,
): PlatformUser | OperationRefusal {
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

/** One account as an operator sees it. Never a secret, nor anything of one. */
export interface AccountView {
  channel: string;
  account: string;
  /** `record`: set at run time. */
  source: 'environment' | 'files' | 'record';
  /** `faulty`: what is written there cannot be used. */
  state: 'ok' | 'faulty';
  /** Why it is faulty; null: it is not. */
  reason: string | null;
  /** null: nothing of it is served. */
  serves: AccountServes | null;
}

export interface AccountServes {
  typing: TypingNow;
  /** As a configuration file spells them; URLs without what may be a secret. */
  fields: Readonly<Record<string, unknown>>;
  secrets: Readonly<Record<string, 'set' | 'unset'>>;
}

/** `until`: ms since 1970, null: until somebody changes it. `code`, `remedy`: the platform's, and what mends it. */
export type TypingNow =
  | { is: 'on' }
  | {
      is: 'off';
      reason: 'mode_off' | 'no_permission';
      until: number | null;
      code: number | null;
      remedy: string | null;
    };

/** Every account there is, and the way to set one. Every member rejects when Redis is out of reach. */
export interface AccountRegister {
  list(): Promise<AccountView[]>;
  /** null: there is none of that name. */
  read(place: Place): Promise<AccountView | null>;
  put(
    place: Place,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<
    | { is: 'created' | 'updated' }
    | { is: 'faulty'; faults: readonly string[] }
    | { is: 'refused'; error: string }
  >;
  remove(place: Place): Promise<{ is: 'removed' } | { is: 'refused'; error: string }>;
  /** Typing that the platform has refused is tried again with the next message. */
  tryAgain(place: Place): Promise<void>;
}

export type ReadBody =
  { is: 'body'; body: unknown } | { is: 'refusal'; status: 400 | 413 | 415; error: string };

type BodyReader = (request: Request, response: Response) => Promise<ReadBody>;

/** Reads a body of JSON of so many kB at most; none is {}. */
export function createBodyReader(kilobytes: number): BodyReader {
  // Whatever the content type: there is nothing but JSON to be sent here.
  const limit = kilobytes * 1024;
  const parse = bodyParser.json({ limit, strict: true, inflate: false, type: () => true });
  return (request, response) =>
    new Promise((resolve) => {
      parse(request, response, (fault?: unknown) => {
        const body: unknown = request.body ?? {};
        resolve(fault === undefined ? { is: 'body', body } : bodyRefusal(fault, kilobytes));
      });
    });
}

/** The same with 16 kB. */
export const readBody = createBodyReader(16);

function bodyRefusal(fault: unknown, kilobytes: number): ReadBody {
  const status = typeof fault === 'object' && fault !== null && 'status' in fault ? fault.status : 400;
  if (status === 413) return refusal(413, `The body is longer than ${kilobytes} kB.`);
  if (status === 415) return refusal(415, 'The body is compressed, or no UTF-8: send it as it is.');
  return refusal(
    400,
    'The body is no JSON object: send {} or one of the shape that /openapi.json describes.',
  );
}

function refusal(status: 400 | 413 | 415, error: string): ReadBody {
  return { is: 'refusal', status, error };
}

/** One sentence for what a schema did not take: the first fault, with the name of what it is about. */
export function bodyFault(where: 'body' | 'query', { issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue?.code === 'unrecognized_keys') {
    const name = JSON.stringify(String(issue.keys[0]).slice(0, 60));
    return `The ${where} holds ${name}, which means nothing here: see /openapi.json for what it takes.`;
  }
  if (issue === undefined || issue.path.length === 0)
    return `The ${where} is no object: send {} or one of the shape that /openapi.json describes.`;
  return `${issue.path.join('.')} ${issue.message}.`;
}
