/** A server that speaks the console's wire over a made-up world, as strict as the real one about what a page may do. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { sentences } from '../../src/console/console.ts';
import type { ConversationRow, JournalEntry } from '../../src/console/wire.ts';
import { type Channel, conversationId } from '../../src/core/platform.ts';
import { shownRows, viewIn, type World } from './page-world.ts';

const folder = new URL('../../src/console/page/', import.meta.url);
const types: Record<string, string> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' };
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const year = 365 * 86_400_000;

export interface PageServer {
  url: string;
  token: string;
  /** Logs in once. */
  code: string;
  /** Searches that were asked for. */
  searches: URLSearchParams[];
  /** How often a page has connected. */
  streams: () => number;
  /** Each page hears a heartbeat. */
  beat: () => void;
  /** Every connection is cut, and none is taken until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
}

export async function startPageServer(world: World): Promise<PageServer> {
  const state = {
    streams: 0,
    token: 'a control token',
    code: 'the-code-of-a-link',
    session: 'of-the-operator',
    searches: [] as URLSearchParams[],
  };
  const streams = new Set<Stream>();
  let due = false;
  world.onChange = () => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      for (const stream of streams) stream.tell();
    });
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://console');
    response.setHeader('content-security-policy', policy);
    response.setHeader('x-content-type-options', 'nosniff');
    const asked = { request, response, url };
    const path = decodeURIComponent(url.pathname);
    if (!path.startsWith('/console/api/')) return void sendFile(response, path);
    if (path === '/console/api/session') return void session(state, asked);
    if (request.headers.cookie !== `session=${state.session}`)
      return sendJson(response, 401, { error: 'Log in.' });
    if (path === '/console/api/events') return openStream({ world, state, streams }, response);
    void answer(world, state, asked);
  };
  let server = createServer(handle);
  const listen = (port: number) =>
    new Promise<number>((resolve) => {
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  const port = await listen(0);
  return {
    url: `http://127.0.0.1:${port}/console`,
    token: state.token,
    code: state.code,
    searches: state.searches,
    streams: () => state.streams,
    beat: () => streams.forEach((stream) => stream.beat()),
    stop: () =>
      new Promise((resolve) => {
        streams.clear();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    start: async () => {
      server = createServer(handle);
      await listen(port);
    },
  };
}

async function sendFile(response: ServerResponse, path: string): Promise<void> {
  const name = path === '/console' ? 'index.html' : path.replace('/console/', '');
  const type = types[extname(name)];
  if (type === undefined || name.includes('/')) return sendJson(response, 404, { error: 'Not here.' });
  const body = await readFile(name === 'sentences.js' ? sentences : new URL(name, folder));
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
}

async function session(
  state: { token: string; code: string; session: string },
  { request, response }: Asked,
): Promise<void> {
  if (request.method === 'GET') return sendJson(response, 200, { login: true });
  const body = await readJson(request);
  const cookie = `session=${state.session}; HttpOnly; SameSite=Strict; Path=/console`;
  if (request.method === 'DELETE')
    return void response.writeHead(204, { 'set-cookie': `${cookie}; Max-Age=0` }).end();
  if (body === undefined) return sendJson(response, 415, { error: 'Send JSON.' });
  const isLink = body['code'] === state.code;
  if (isLink) state.code = 'none any more';
  if (body['token'] !== state.token && !isLink)
    return sendJson(response, 401, { error: 'This is not the control token.' });
  response.writeHead(204, { 'set-cookie': cookie }).end();
}

async function answer(world: World, state: { searches: URLSearchParams[] }, asked: Asked): Promise<void> {
  const { request, response, url } = asked;
  const parts = url.pathname.replace('/console/api/', '').split('/').map(decodeURIComponent);
  const body = request.method === 'GET' ? {} : await readJson(request);
  if (body === undefined) return sendJson(response, 415, { error: 'Send JSON.' });
  if (parts[0] === 'failed' && parts.length === 1) return sendJson(response, 200, world.failed);
  if (parts[0] === 'failed')
    return retry(world, response, { job: parts[1] ?? '', unknown: body['unknown'] === true });
  if (parts[0] === 'search') {
    state.searches.push(url.searchParams);
    return search(world, url.searchParams, response);
  }
  const [, channel = '', account = '', user = '', pause] = parts;
  const conversation = { channel: channel as Channel, account, user };
  if (pause === undefined) return sendJson(response, 200, viewIn(world, conversation));
  const id = conversationId(conversation);
  if (request.method === 'DELETE') {
    world.paused.delete(id);
    return void response.writeHead(204).end();
  }
  const seconds = body['seconds'];
  const until = typeof seconds === 'number' ? Date.now() + seconds * 1_000 : null;
  world.paused.set(id, until ?? Date.now() + year);
  // A pause ends every wait.
  world.rows.delete(id);
  world.onChange();
  sendJson(response, 200, { until });
}

function retry(world: World, response: ServerResponse, order: { job: string; unknown: boolean }): void {
  const job = world.failed.find((one) => one.job === order.job);
  if (!job) return sendJson(response, 404, { error: `There is no failed reply job ${order.job}.` });
  if (job.unknown && !order.unknown)
    return sendJson(response, 409, {
      error: 'Whether the user has the answer, nobody knows.',
      unknown: true,
    });
  world.retried.push(order);
  world.failed = world.failed.filter((one) => one !== job);
  setFailed(world);
  response.writeHead(204).end();
}

export function setFailed(world: World): void {
  world.overview.queues = world.overview.queues.map((queue) =>
    queue.name === 'replies' ? { ...queue, failed: world.failed.length } : queue,
  );
  world.onChange();
}

/** Pages of so many. */
const page = 40;

function search(world: World, query: URLSearchParams, response: ServerResponse): void {
  const asked = query.get('q') ?? '';
  const [from, to] = [Number(query.get('from') ?? 0), Number(query.get('to') ?? Infinity)];
  const newest = world.journal.toSorted((a, b) => b.notice.at - a.notice.at);
  const found = newest.filter((entry) => {
    const { at } = entry.notice;
    return at >= from && at <= to && isAbout(entry, asked);
  });
  const start = query.has('before') ? found.findIndex(({ id }) => id === query.get('before')) + 1 : 0;
  const entries = found.slice(start, start + page);
  const before = found.length > start + page ? (entries.at(-1)?.id ?? null) : null;
  sendJson(response, 200, { entries, before });
}

/** Who has only the MsgId means the turn that is called by it, too. */
function isAbout({ notice }: JournalEntry, asked: string): boolean {
  const isNamed = ['user', 'turn', 'messageId'].some((key) => Reflect.get(notice, key) === asked);
  return isNamed || ('turn' in notice && notice.turn.endsWith(`-${asked}`));
}

interface Stream {
  tell(): void;
  beat(): void;
}

function openStream(
  { world, state, streams }: { world: World; state: { streams: number }; streams: Set<Stream> },
  response: ServerResponse,
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let told = new Map<string, ConversationRow>();
  let isFirst = true;
  let overview = '';
  let events = Math.max(0, world.journal.length - 50);
  const send = (event: string, data: unknown) =>
    void response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const stream: Stream = {
    tell: () => {
      const { at: _, ...rest } = world.overview;
      if (overview !== JSON.stringify(rest)) send('overview', { ...world.overview, at: Date.now() });
      overview = JSON.stringify(rest);
      const rows = new Map(shownRows(world).map((row) => [row.id, row]));
      const changed = [...rows.values()].filter((row) => told.get(row.id) !== row);
      const gone = [...told.keys()].filter((id) => !rows.has(id));
      if (isFirst || changed.length > 0 || gone.length > 0)
        send('conversations', { changed, gone, open: world.rows.size, shown: rows.size });
      told = rows;
      isFirst = false;
      if (events < world.journal.length) send('notices', world.journal.slice(events));
      events = world.journal.length;
    },
    beat: () => send('heartbeat', {}),
  };
  state.streams += 1;
  streams.add(stream);
  response.on('close', () => streams.delete(stream));
  stream.tell();
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  if (request.headers['content-type'] !== 'application/json') return undefined;
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
