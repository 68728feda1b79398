/** The console as an operator's browser meets it: real HTTP, and server-sent events read as they come. */
import { get, type IncomingMessage } from 'node:http';
import type { ConversationsChange, JournalEntry, Overview } from '../../src/console/wire.ts';

export interface Browser {
  cookie: string | null;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  logIn(token: string): Promise<Response>;
  watch(): Promise<Watched>;
}

export interface Watched {
  status: number;
  overviews: Overview[];
  changes: ConversationsChange[];
  notices: JournalEntry[];
  /** All that came, as it came. */
  text(): string;
  ended: Promise<void>;
  /** It was ended as a stream should be; else its connection broke. */
  complete(): boolean;
  /** Reads no more, and keeps the connection. */
  stall(): void;
  close(): void;
}

/** A browser on the console's page. */
export function openBrowser(url: string): Browser {
  const browser: Browser = {
    cookie: null,
    ask: (method, path, body, headers = {}) =>
      fetch(`${url}/console/api/${path}`, {
        method,
        redirect: 'manual',
        headers: {
          'sec-fetch-site': 'same-origin',
          ...(browser.cookie === null ? {} : { cookie: browser.cookie }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    logIn: async (token) => {
      const response = await browser.ask('POST', 'session', { token });
      browser.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? browser.cookie;
      return response;
    },
    watch: () => watch(url, browser.cookie),
  };
  return browser;
}

async function watch(url: string, cookie: string | null): Promise<Watched> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = get(`${url}/console/api/events`, { headers: cookie === null ? {} : { cookie } }, resolve);
    request.once('error', reject);
  });
  let text = '';
  let rest = '';
  const watched: Watched = {
    status: response.statusCode ?? 0,
    overviews: [],
    changes: [],
    notices: [],
    text: () => text,
    ended: new Promise((resolve) => response.once('close', () => resolve())),
    complete: () => response.complete,
    stall: () => void response.pause(),
    close: () => void response.destroy(),
  };
  response.setEncoding('utf8');
  response.on('error', () => {}); // The other side may hang up.
  response.on('data', (chunk: string) => {
    text += chunk;
    const parts = (rest + chunk).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) take(watched, part);
  });
  return watched;
}

function take({ overviews, changes, notices }: Watched, part: string): void {
  const [, name, json] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
  const data: unknown = json === undefined ? null : JSON.parse(json);
  if (name === 'overview') overviews.push(data as Overview);
  if (name === 'conversations') changes.push(data as ConversationsChange);
  if (name === 'notices') notices.push(...(data as JournalEntry[]));
}

/** What a page that applies every change shows. */
export function shownIn({ changes }: Watched): Map<string, ConversationsChange['changed'][number]> {
  const shown = new Map<string, ConversationsChange['changed'][number]>();
  for (const { changed, gone } of changes) {
    for (const row of changed) shown.set(row.id, row);
    for (const id of gone) shown.delete(id);
  }
  return shown;
}
