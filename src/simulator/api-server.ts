/** What both platforms' APIs share: every call is recorded, meets its fault, and leaves its marks on the phone. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Fault, Faults } from './faults.ts';
import type { Phones } from './phones.ts';
import { startServer, type Reply, type Request, type RunningServer } from './server.ts';

export interface ApiCall {
  /** Arrival, ms since 1970. */
  at: number;
  path: string;
  user: string | null;
  /** `Typing`, `CancelTyping`, `send`, `typing`, `mt`, `read`, `token`… */
  command: string | null;
  messageId: string | null;
  /** Of the text that it sends. */
  text: string | null;
  /**
   * What the platform decided: its code (Meta's, where NXCloud wraps one). null while undecided, and for a call that
   * a fault kept from being carried out without naming a code.
   */
  code: number | null;
  /** What went wrong with it on purpose. */
  fault: Fault | null;
  /** How long it was under way, there and back (ms). */
  wayMs: number;
  /** When its answer had left or its connection was gone; null before. */
  endedAt: number | null;
}

/** How long a call is under way, there and back (ms): half of it before it arrives, half after its effect. */
export type Way = (subject: Subject) => number;

export type Subject = Pick<ApiCall, 'user' | 'command' | 'messageId' | 'text'>;

/** An API's answer to one call; `body` is JSON text, sent with HTTP 200. */
export interface Verdict {
  code: number;
  body: string;
  /** Runs once the answer has left or was lost. */
  after?: () => void;
}

/** One platform's API. Its functions are synchronous, so that a call takes effect at one moment. */
export interface Api {
  /** Whom and what the call is about, as far as it can be read; checks nothing. */
  describe(request: Request): Subject;
  handle(request: Request): Verdict;
  /** The verdict of a fault that names a code. */
  refuse(request: Request, fault: { code: number } | { metaCode: number }): Verdict;
}

interface ApiOptions {
  api: Api;
  phones: Phones;
  faults: Faults;
  calls: ApiCall[];
  now: () => number;
  way: Way;
}

export function startApi(options: ApiOptions): Promise<RunningServer> {
  return startServer((request) => answer(options, request));
}

async function answer(options: ApiOptions, request: Request): Promise<Reply | 'hang' | 'reset'> {
  const subject = options.api.describe(request);
  const wayMs = options.way(subject);
  await pass(wayMs / 2);
  const call: ApiCall = {
    at: options.now(),
    path: request.path,
    code: null,
    fault: null,
    endedAt: null,
    wayMs,
    ...subject,
  };
  options.calls.push(call);
  request.signal.addEventListener('abort', () => ended(options, call));
  if (request.signal.aborted) ended(options, call);
  if (call.user !== null) options.phones.of(call.user).mark('call', call.command ?? call.path);
  const fault = options.faults.take(request.path, call.user);
  call.fault = fault;
  const [before, afterwards] = fault?.carriedOut === true ? [null, fault] : [fault, null];
  const instead = await suffer(options, request, before);
  if (instead !== null) return asReply(note(options, call, instead), () => ended(options, call));
  const verdict = options.api.handle(request);
  note(options, call, verdict);
  const spoilt = await suffer(options, request, afterwards);
  if (spoilt !== null) verdict.after?.();
  await pass(wayMs / 2);
  return asReply(spoilt ?? verdict, () => ended(options, call));
}

async function pass(ms: number): Promise<void> {
  if (ms > 0) await wait(ms, undefined, { ref: false });
}

function ended({ now }: ApiOptions, call: ApiCall): void {
  call.endedAt ??= now();
}

/** Resolves with what comes instead of the true answer; null when the true answer may go on. */
async function suffer(options: ApiOptions, request: Request, fault: Fault | null): Promise<Suffered | null> {
  if (fault === null) return null;
  if ('hang' in fault) return 'hang';
  if ('reset' in fault) return 'reset';
  if ('garbage' in fault) return { status: 200, type: 'text/html', body: '<html>simulated' };
  if ('status' in fault) return { status: fault.status, type: 'text/plain', body: 'simulated fault' };
  if ('code' in fault || 'metaCode' in fault) return options.api.refuse(request, fault);
  await pass(fault.latencyMs);
  return null;
}

type Suffered = Verdict | Reply | 'hang' | 'reset';

/** Writes the code down where there is one: on the call, and a refusal on the phone. */
function note(options: ApiOptions, call: ApiCall, result: Suffered): Suffered {
  if (typeof result === 'string' || 'status' in result) return result;
  call.code = result.code;
  if (call.code !== 0 && call.user !== null) options.phones.of(call.user).mark('refused', String(call.code));
  return result;
}

function asReply(result: Suffered, gone: () => void): Reply | 'hang' | 'reset' {
  if (typeof result === 'string') return result;
  if ('status' in result) return { ...result, after: gone };
  const { body, after } = result;
  const left = (): void => {
    gone();
    after?.();
  };
  return { status: 200, body, after: left };
}
