/** A slow bot for both platforms, as they stand behind webhooks everywhere: it thinks, then echoes. */
import { setMaxListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { createBotCalls, type BotCall, type BotCalls } from './bot-calls.ts';
import type { BotMessage, BotPush } from './bot-message.ts';
import { readNxcloud, type NxcloudBotAccount } from './bot-nxcloud.ts';
import { readWechat, type WechatBotAccount } from './bot-wechat.ts';
import { startServer, type Reply, type Request } from './server.ts';

export interface BotOptions {
  /** ms before the answer, or the same by the user's text. @default 0 */
  thinkMs?: number | ((text: string) => number);
  /**
   * `passive`: WeChat is answered in the webhook's answer (NXCloud, which has none, as by `api`).
   * `api`: acknowledges at once, and sends through the platform's API later.
   * `silent`: acknowledges at once, and never answers.
   * `transfer`: thinks, then passes the user on to a human (NXCloud as by `silent`).
   * `fail`: thinks, then answers with `failStatus`.
   * @default passive
   */
  style?: 'passive' | 'api' | 'silent' | 'transfer' | 'fail';
  /** The header `X-Typing` of its webhook answers. @default none */
  typing?: string;
  /** @default 500 */
  failStatus?: number;
  /** @default the text with "echo: " before it */
  answer?: (text: string) => string;
  /** The bot's own copies of the accounts; `apiBase` may be a gateway. */
  wechat?: WechatBotAccount;
  nxcloud?: NxcloudBotAccount;
  /** @default Date.now */
  now?: () => number;
}

export interface Bot {
  url: string;
  calls: readonly BotCall[];
  /** What it sent by the platforms' APIs: the platform's code, null when no answer came. */
  sends: readonly { user: string; code: number | null }[];
  /** Resolves with the n-th call, counted from 1, when it has arrived. */
  call: (n: number) => Promise<BotCall>;
  /** From the next call on. */
  set(options: BotOptions): void;
  close(): Promise<void>;
}

interface State {
  options: BotOptions;
  now: () => number;
  calls: BotCalls;
  sends: { user: string; code: number | null }[];
  closing: AbortSignal;
}

export async function startBot(options: BotOptions = {}): Promise<Bot> {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const { now = Date.now } = options;
  const state: State = { options, now, calls: createBotCalls(now), sends: [], closing: closing.signal };
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

async function answer(state: State, request: Request): Promise<Reply> {
  const answered = state.calls.add(request);
  const { typing } = state.options;
  const headers = typing === undefined ? {} : { 'X-Typing': typing };
  const reply = { ...(await replyTo(state, request)), headers };
  return { ...reply, after: (left) => (left ? answered() : undefined) };
}

async function replyTo(state: State, request: Request): Promise<Reply> {
  const { style = 'passive', failStatus = 500, answer = echo } = state.options;
  const { acknowledgement, messages } = understand(state, request);
  const [first] = messages;
  if (first !== undefined && style === 'fail') {
    await think(state, first.text);
    return { status: failStatus, type: 'text/plain', body: 'simulated failure' };
  }
  if (first !== undefined && first.inline !== null && style === 'passive') {
    await think(state, first.text);
    return first.inline(answer(first.text));
  }
  if (first !== undefined && first.transfer !== null && style === 'transfer') {
    await think(state, first.text);
    return first.transfer();
  }
  if (style !== 'silent') for (const message of messages) void answerLater(state, message);
  return acknowledgement;
}

function understand({ options, closing, now }: State, request: Request): BotPush {
  const wechat = options.wechat === undefined ? null : readWechat(options.wechat, request, closing);
  if (wechat !== null) return wechat;
  if (options.nxcloud !== undefined) return readNxcloud(options.nxcloud, request, { closing, now });
  return { acknowledgement: { status: 200, body: '{}' }, messages: [] };
}

async function answerLater(state: State, { user, text, send }: BotMessage): Promise<void> {
  const { answer = echo } = state.options;
  await think(state, text);
  if (state.closing.aborted) return;
  state.sends.push({ user, code: await send(answer(text)).catch(() => null) });
}

async function think({ options: { thinkMs = 0 }, closing }: State, text: string): Promise<void> {
  const ms = typeof thinkMs === 'function' ? thinkMs(text) : thinkMs;
  if (ms > 0) await wait(ms, undefined, { ref: false, signal: closing }).catch(() => undefined);
}

function echo(text: string): string {
  return `echo: ${text}`;
}
