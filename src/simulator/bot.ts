/** A slow bot for both platforms, as they stand behind webhooks everywhere: it thinks, then echoes. */
import { setMaxListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { headerOf } from '../core/wire.ts';
import { readNxcloud } from './bot-nxcloud.ts';
import type { BotOptions } from './bot-options.ts';
import { type BotCall, type BotCalls, type BotMessage, type BotPush, createBotCalls } from './bot-parts.ts';
import { readWechat } from './bot-wechat.ts';
import { type Reply, type Request, startServer } from './server.ts';

export interface Bot {
  url: string;
  calls: readonly BotCall[];
  /** What it sent by the platforms' APIs, once it has heard what became of it. */
  sends: readonly BotSend[];
  /** Resolves with the n-th call, counted from 1, when it has arrived. */
  call: (n: number) => Promise<BotCall>;
  /** From the next call on. */
  set(options: BotOptions): void;
  close(): Promise<void>;
}

export interface BotSend {
  user: string;
  text: string;
  /** The platform's code; null when no answer came. */
  code: number | null;
  at: number;
  endedAt: number;
}

interface State {
  options: BotOptions;
  now: () => number;
  calls: BotCalls;
  sends: BotSend[];
  /** The `Idempotency-Key`s of what it has acknowledged. */
  acknowledged: Set<string>;
  closing: AbortSignal;
}

export async function startBot(options: BotOptions = {}): Promise<Bot> {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const { now = Date.now } = options;
  const state: State = {
    options,
    now,
    calls: createBotCalls(now, options),
    sends: [],
    acknowledged: new Set(),
    closing: closing.signal,
  };
  const server = await startServer((request) => answer(state, request));
  return {
    url: server.url,
    calls: state.calls.all,
    sends: state.sends,
    call: state.calls.nth,
    set: (changes) => void (state.options = { ...state.options, ...changes }),
    async close() {
      closing.abort();
      await server.close();
    },
  };
}

async function answer(state: State, request: Request): Promise<Reply | 'hang' | 'reset'> {
  const broken = state.options.breaks?.() ?? null;
  const answered = state.calls.add(request, broken);
  if (broken === 'hang' || broken === 'reset') return broken;
  if (broken !== null) return { ...brokenReply(broken), after: (left) => (left ? answered() : undefined) };
  const { typing } = state.options;
  const headers = typing === undefined ? {} : { 'X-Typing': typing };
  const reply = { ...(await replyTo(state, request)), headers };
  return { ...reply, after: (left) => (left ? answered() : undefined) };
}

function brokenReply(broken: 'garbage' | number): Reply {
  return { status: broken === 'garbage' ? 200 : broken, type: 'text/html', body: '<html>simulated' };
}

async function replyTo(state: State, request: Request): Promise<Reply> {
  const { style: styles = 'passive', failStatus = 500, answer = echo, refuses } = state.options;
  const { acknowledgement, messages } = understand(state, request);
  const [first] = messages;
  const style = typeof styles === 'function' ? styles(first?.user ?? '') : styles;
  const failure = { status: failStatus, type: 'text/plain', body: 'simulated failure' };
  if (first !== undefined && refuses?.(first.user) === true) return failure;
  if (first !== undefined && style === 'fail') {
    await think(state, first);
    return failure;
  }
  if (first !== undefined && first.inline !== null && style === 'passive') {
    await think(state, first);
    return first.inline(answer(first.text));
  }
  if (first !== undefined && first.transfer !== null && style === 'transfer') {
    await think(state, first);
    return first.transfer();
  }
  if (style !== 'silent' && isFirst(state, request)) {
    const answering = Promise.all(messages.map((message) => answerLater(state, message)));
    if (style === 'waits') await answering;
  }
  return acknowledgement;
}

/** A bot that looks at the key, as README asks of one for which a second call matters. */
function isFirst({ options: { once = false }, acknowledged }: State, request: Request): boolean {
  const key = headerOf(request.headers, 'idempotency-key');
  if (!once || key === null) return true;
  const first = !acknowledged.has(key);
  acknowledged.add(key);
  return first;
}

function understand({ options, closing, now }: State, request: Request): BotPush {
  const wechat = options.wechat === undefined ? null : readWechat(options.wechat, request, closing);
  if (wechat !== null) return wechat;
  if (options.nxcloud !== undefined) return readNxcloud(options.nxcloud, request, { closing, now });
  return { acknowledgement: { status: 200, body: '{}' }, messages: [] };
}

async function answerLater(state: State, message: BotMessage): Promise<void> {
  const { answer = echo } = state.options;
  const { user, text, send } = message;
  const stopTyping = typeMeanwhile(state, message);
  await think(state, message);
  if (state.closing.aborted) return stopTyping();
  const [sent, at] = [answer(text), state.now()];
  const code = await send(sent).catch(() => null);
  await pause(state, state.options.heardAfterMs ?? 0);
  stopTyping();
  if (state.options.forgetful === true) return;
  state.sends.push({ user, text: sent, code, at, endedAt: state.now() });
}

/** What bots do that know no rule of the platform. */
function typeMeanwhile({ options: { typeEveryMs } }: State, { user, type }: BotMessage): () => void {
  const every = typeof typeEveryMs === 'function' ? typeEveryMs(user) : typeEveryMs;
  if (every === undefined || every === null) return () => {};
  const typeNow = (): void => void type().catch(() => {});
  typeNow();
  if (every === 'once') return () => {};
  const timer = setInterval(typeNow, every).unref();
  return () => clearInterval(timer);
}

function think(state: State, { text, user }: BotMessage): Promise<void> {
  const { thinkMs = 0 } = state.options;
  return pause(state, typeof thinkMs === 'function' ? thinkMs(text, user) : thinkMs);
}

async function pause({ closing }: State, ms: number): Promise<void> {
  if (ms > 0) await wait(ms, undefined, { ref: false, signal: closing }).catch(() => undefined);
}

function echo(text: string): string {
  return `echo: ${text}`;
}
