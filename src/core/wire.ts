/** Bytes on the wire, in both directions, as the core's neighbours hand them to each other. */

/** Header lines in the order they came; a repeated header stands repeatedly. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** A push as it arrived: nothing decoded, nothing dropped. */
export interface RawPush {
  method: string;
  /** Without the leading "?"; empty when there is none. */
  rawQuery: string;
  headers: HeaderLines;
  body: Uint8Array;
}

/** What arrives of a push before its body. */
export type PushHead = Omit<RawPush, 'body'>;

export interface Answer {
  status: number;
  headers: HeaderLines;
  body: Uint8Array;
}

export interface OutboundRequest {
  method: string;
  url: string;
  headers: HeaderLines;
  body: Uint8Array | string | null;
  /** In place of a body that is not held: its bytes as they come. `headers` name its length. */
  stream?: AsyncIterable<Uint8Array>;
  /** Hard limit in ms for the whole exchange, connecting included. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/**
 * Makes one HTTP request. Resolves with whatever status came back (redirects are not followed).
 * @throws NoAnswer when no complete answer came.
 */
export type Send = (request: OutboundRequest) => Promise<Answer>;

/** No answer came. What the other side did is known only as far as `begun` tells. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** false: the request cannot have been taken up (refused connection, unknown host). true: it may have been. */
  readonly begun: boolean;
  readonly timedOut: boolean;

  constructor(message: string, options: { begun: boolean; timedOut?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.begun = options.begun;
    this.timedOut = options.timedOut ?? false;
  }
}

/** For `send(…).catch(asNoAnswer)`: no answer is a result like another, any other error is thrown on. */
export function asNoAnswer(error: unknown): NoAnswer {
  if (error instanceof NoAnswer) return error;
  throw error;
}

/** The code that Node gives an error of the network: `ECONNREFUSED`. */
export function errorCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The first value of a header, whatever the case of its name; null when absent. */
export function headerOf(headers: HeaderLines, name: string): string | null {
  const wanted = name.toLowerCase();
  return headers.find(([key]) => key.toLowerCase() === wanted)?.[1] ?? null;
}

/** Node keeps header lines as a flat list of names and values. */
export function pairs(rawHeaders: readonly string[]): HeaderLines {
  const lines: (readonly [name: string, value: string])[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2)
    lines.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
  return lines;
}

/** The members of an object that somebody else wrote, before anybody has looked at them. */
export type Fields = Readonly<Record<string, unknown>>;

/** null: it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * JSON whose numbers may be ids of 64 bits: JSON.parse rounds those, so integers of 15 digits and more become strings
 * first. Strings are matched, and kept, so that digits inside them stay; their closing quote is optional to keep this
 * linear; where no such integer can stand, nothing is looked for: that would take longer than all else. null: it is no
 * JSON, or of another kind than an object.
 */
export function exactFieldsOf(text: string): Fields | null {
  const exact = /[[:,\s]-?\d{15}/.test(text)
    ? text.replace(/"(?:[^"\\]+|\\[^])*"?|-?\d[\d.eE+-]*/g, (token) =>
        /^-?\d{15,}$/.test(token) ? `"${token}"` : token,
      )
    : text;
  const value = jsonOf(exact);
  return isFields(value) ? value : null;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Computes a value once for each object, for as long as that lives. */
export function oncePer<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, { value: Value }>();
  return (key) => {
    const held = known.get(key) ?? { value: compute(key) };
    known.set(key, held);
    return held.value;
  };
}
