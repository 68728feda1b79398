/** What happened in one run, as phones, bot, platforms, processes and Redis saw it: plain data. Times: ms since 1970. */
import type { Interval, Mark } from '../../src/simulator/index.ts';
import type { Strike, Style } from './plan.ts';

export interface Pushed {
  channel: 'wechat' | 'nxcloud';
  user: string;
  text: string;
  style: Style;
  at: number;
  /** HTTP statuses of its deliveries; null: no answer. */
  statuses: (number | null)[];
}

/** One call of the bot about one message. */
export interface Asked {
  text: string;
  at: number;
  /** When the answer had left, or the caller had hung up; null: still open. */
  endedAt: number | null;
  hungUp: boolean;
  /** What the bot did wrong on purpose. */
  broken: string | null;
  attempt: string | null;
}

/** A send of the bot through the gateway. */
export interface BotSent {
  user: string;
  /** The answer. */
  text: string;
  at: number;
  endedAt: number;
  /** The platform's; null: no answer came. */
  code: number | null;
}

export interface PlatformCall {
  channel: 'wechat' | 'nxcloud';
  user: string | null;
  command: string | null;
  at: number;
  endedAt: number | null;
  code: number | null;
  /** Of the text that it sends. */
  text: string | null;
  /** What the platform did wrong on purpose. */
  fault: string | null;
}

/** From the first moment to the last in which it could be felt: a restarted process is back at `to`. */
export interface Struck extends Interval {
  strike: Strike;
}

export interface Exit {
  process: string;
  at: number;
  /** What it was told. */
  ordered: 'SIGKILL' | 'SIGTERM' | null;
  /** Exit code, or the signal's name; null: it had not ended after the time it is given. */
  code: number | string | null;
  /** From the order to the end (ms). */
  tookMs: number;
}

export interface Record {
  startedAt: number;
  calm: boolean;
  lifetimes: { wechat: number; nxcloud: number };
  /** keeptyping's cap: no turn shows for longer (ms). */
  cap: number;
  pushes: Pushed[];
  asked: Asked[];
  sent: BotSent[];
  /** Of all phones. */
  marks: Mark[];
  calls: PlatformCall[];
  struck: Struck[];
  exits: Exit[];
  /** What Redis held when all was quiet, or when nobody waited any longer. */
  left: {
    /** Jobs that could still do something. */
    jobs: string[];
    /** The keys of reply jobs that have failed for good. */
    failed: string[];
    /** Keys that Redis will never let go by itself. */
    keys: string[];
  };
  /** The longest that the harness itself stood still (ms): all times are only so exact. */
  stoodStill: number;
}

/** The answer that the bot makes of a message. */
export function answerTo(text: string): string {
  return `echo: ${text}`;
}
