/** What the page asks and tells below `/console/api/`; wire.ts says it whole. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Platform } from '../core/platform.ts';
import { said } from '../core/said.ts';
import type { Conversations } from '../typing/conversations.ts';
import type { ConsoleWatch } from './watch.ts';
import type { FailedJobs, SearchAnswer, ConsoleSource } from './wire.ts';

/** What the page may ask, read from the wire. */

const time = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number)
  .optional();

const searchQuery = z.object({
  // A phone number's "+" stands in no push.
  q: z
    .string()
    .trim()
    .max(256)
    .transform((q) => q.replace(/^\+/, ''))
    .optional(),
  from: time,
  to: time,
  before: z
    .string()
    .regex(/^\d{1,15}-\d{1,15}$/)
    .optional(),
});

/** As the control API takes it. */
const userName = /^[\w@.=-]{1,131}$/;

const secret = z.string().min(1).max(1_000);

/** The control token, or the code of a link that logs in once. */
export const sessionBody = z.union([z.object({ token: secret }), z.object({ code: secret })]);

/** As the control API takes it: up to a year. */
const pauseBody = z.object({ seconds: z.int().min(1).max(31_536_000).optional() });

const retryBody = z.object({ unknown: z.boolean().optional() });

const emptyBody = z.object({});

interface RouteParts {
  source: ConsoleSource;
  watch: ConsoleWatch;
  conversations: Pick<Conversations, 'read' | 'names' | 'pause' | 'resume'>;
  failed: FailedJobs;
}

interface RouteRequest {
  request: IncomingMessage;
  response: ServerResponse;
  /** What stands for each `*` of the path. */
  names: readonly string[];
  query: URLSearchParams;
  /** Read as JSON; undefined where nothing is changed. */
  body: unknown;
  /** When the caller's login ends (ms); null: it does not. */
  until: number | null;
}

/** null: the response has been taken over. */
export type RouteAnswer = { status: number; body?: object } | null;

/** Rejects when Redis is out of reach. */
type ConsoleRoute = (parts: RouteParts, asked: RouteRequest) => RouteAnswer | Promise<RouteAnswer>;

/** By path and method; those that are no GET change something. */
const routes: Readonly<Record<string, Readonly<Record<string, ConsoleRoute>>>> = {
  events: { GET: events },
  search: { GET: search },
  'conversations/*/*/*': { GET: read },
  'conversations/*/*/*/pause': { PUT: pause, DELETE: resume },
  'accounts/*/*/typing': { PUT: tryAgain },
  failed: { GET: async ({ failed }) => ({ status: 200, body: await failed.read() }) },
  'failed/*/retry': { POST: retry },
};

const unreadable: RouteAnswer = { status: 400, body: { error: said('Send what the page sends.') } };
const searched = 100;

function events({ watch }: RouteParts, { response, until }: RouteRequest): RouteAnswer {
  const error = said('Too many pages are open here: close one.');
  return watch.open(response, until) ? null : { status: 503, body: { error } };
}

async function search({ source, conversations }: RouteParts, { query }: RouteRequest): Promise<RouteAnswer> {
  const given = [...query].filter(([, value]) => value !== '');
  const read = searchQuery.safeParse(Object.fromEntries(given));
  if (!read.success) return unreadable;
  const { q = null, from = null, to = null, before = null } = read.data;
  const namesOf = async (user: string): Promise<string[]> => {
    const known = source.accounts().map(({ platform }) => conversations.names(platform, user));
    return [...new Set([user, ...(await Promise.all(known)).flat()])];
  };
  const named = q === null ? null : await namesOf(q);
  const found = await source.journal.search({ q: named, from, to, before, limit: searched });
  const entries = found.entries.map(({ id, notice }) => ({ id, notice }));
  return { status: 200, body: { entries, before: found.before } satisfies SearchAnswer };
}

async function read(parts: RouteParts, { names }: RouteRequest): Promise<RouteAnswer> {
  return about(parts, names, async (platform, user) => ({
    status: 200,
    body: await parts.conversations.read(platform, user),
  }));
}

async function pause(parts: RouteParts, { names, body }: RouteRequest): Promise<RouteAnswer> {
  return about(parts, names, (platform, user) =>
    taking(pauseBody, body, async ({ seconds = null }) => ({
      status: 200,
      body: await parts.conversations.pause(platform, user, seconds),
    })),
  );
}

async function resume(parts: RouteParts, { names, body }: RouteRequest): Promise<RouteAnswer> {
  return about(parts, names, (platform, user) =>
    taking(emptyBody, body, async () => {
      await parts.conversations.resume(platform, user);
      return { status: 204 };
    }),
  );
}

async function tryAgain(
  { source }: RouteParts,
  { names: [channel = '', account = ''], body }: RouteRequest,
): Promise<RouteAnswer> {
  if (source.roster.of({ channel, account }) === null) return unserved(channel, account);
  return taking(emptyBody, body, async () => {
    await source.tryAgain({ channel, account });
    return { status: 204 };
  });
}

async function retry(
  { failed }: RouteParts,
  { names: [job = ''], body }: RouteRequest,
): Promise<RouteAnswer> {
  return taking(retryBody, body, async ({ unknown: evenUnknown = false }) => {
    switch (await failed.runAgain(job, { evenUnknown })) {
      case 'runs':
        return { status: 204 };
      case 'none':
        return { status: 404, body: { error: said('No such job has failed: it may run again already.') } };
      case 'unknown': {
        const error = said('Nobody knows whether the user has this answer: sent again it may come twice.');
        return { status: 409, body: { error, unknown: true } };
      }
    }
  });
}

async function taking<Taken>(
  schema: z.ZodType<Taken>,
  body: unknown,
  work: (taken: Taken) => Promise<RouteAnswer>,
): Promise<RouteAnswer> {
  const read = schema.safeParse(body);
  return read.success ? work(read.data) : unreadable;
}

async function about(
  { source }: RouteParts,
  [channel = '', account = '', user = '']: readonly string[],
  work: (platform: Platform, user: string) => Promise<RouteAnswer>,
): Promise<RouteAnswer> {
  const platform = source.roster.of({ channel, account })?.platform;
  if (!platform) return unserved(channel, account);
  return userName.test(user) ? work(platform, user) : unreadable;
}

function unserved(channel: string, account: string): RouteAnswer {
  return {
    status: 404,
    body: { error: said('No account {account} is served.', { account: `${channel}/${account}` }) },
  };
}

/** The route of a path below `/console/api/`, with what its stars stand for; null: there is none. */
export function routeAt(
  path: string,
): { methods: Readonly<Record<string, ConsoleRoute>>; names: string[] } | null {
  const given = path.split('/').map(decode);
  for (const [pattern, methods] of Object.entries(routes)) {
    const parts = pattern.split('/');
    const fits = parts.length === given.length && parts.every((part, n) => part === '*' || part === given[n]);
    if (fits) return { methods, names: given.filter((_, n) => parts[n] === '*') };
  }
  return null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
