/** Looks at Redis each second while somebody watches, once for all of them, and tells each what has changed. */
import type { ServerResponse } from 'node:http';
import type { JournalRecord } from '../journal/record.ts';
import { backlog, eventHeaders, eventText } from '../pages/pages.ts';
import { createHour, type Hour } from './hour.ts';
import { allOf, changeOf, noRows, overviewOf, type Rows, rowsOf } from './overview.ts';
import type { ConversationsChange, JournalEntry, Look, Overview, ConsoleSource } from './wire.ts';

export interface ConsoleWatch {
  /** Tells a page from now on. false: too many watch already, or the process is stopping. */
  open(response: ServerResponse, until: number | null): boolean;
  /** Ends all streams at once. */
  close(): void;
}

/** So many conversations are shown. */
const shown = 1_000;
const every = 1_000;
const hourMs = 60 * 60_000;
/** Pages of the journal that one look reads: after an hour without viewers there is much to catch up with. */
const pagesPerLook = 30;
const firstNotices = 50;
/** Nobody reads more in a second. */
const mostNotices = 100;

/** What is known by the last look. */
interface Picture {
  hour: Hour;
  /** Read up to here. */
  cursor: string;
  look: Look | null;
  rows: Rows;
  overview: Overview | null;
}

export function createWatch(source: ConsoleSource): ConsoleWatch {
  const viewers = createViewers();
  const picture: Picture = { hour: createHour(), cursor: '', look: null, rows: noRows, overview: null };
  const closing = new AbortController();
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (running) {
      await look(source, picture, viewers);
      running = viewers.count() > 0 && !closing.signal.aborted;
      if (running) await source.clock.sleep(every, closing.signal).catch(() => (running = false));
    }
  };
  return {
    open: (response, until) => {
      if (closing.signal.aborted || !viewers.join(response, until)) return false;
      if (!running) void run();
      return true;
    },
    close: () => {
      closing.abort();
      viewers.close();
    },
  };
}

async function look(source: ConsoleSource, picture: Picture, viewers: Viewers): Promise<void> {
  try {
    const [seen, entries] = await Promise.all([source.look(shown), follow(source, picture)]);
    const newest = viewers.hasNew() ? await source.journal.newest(firstNotices) : [];
    const rows = rowsOf(source, seen);
    const change = changeOf(picture.rows, rows);
    Object.assign(picture, { look: seen, rows });
    const overview = renew(source, picture, true);
    // What is newer comes with the next look, to everybody.
    const known = newest.filter(({ id }) => !isAfter(id, picture.cursor));
    viewers.tell(streamText({ overview, change, entries: entries.slice(-mostNotices) }), () =>
      streamText({ overview: picture.overview, change: allOf(rows), entries: known }),
    );
  } catch (error) {
    if (picture.overview?.live !== false) source.log.warn({ error }, 'The console does not reach Redis.');
    tellOutage(source, picture, viewers);
  }
  viewers.sweep(source.clock.now());
}

/** Who has just come is told what was known, and what has changed meanwhile once Redis is back. */
function tellOutage(source: ConsoleSource, picture: Picture, viewers: Viewers): void {
  const overview = renew(source, picture, false);
  viewers.tell(streamText({ overview, change: null, entries: [] }), () =>
    streamText({ overview: picture.overview, change: allOf(picture.rows), entries: [] }),
  );
}

/** What the journal has got since the last look. */
async function follow({ journal, clock }: ConsoleSource, picture: Picture): Promise<JournalRecord[]> {
  const now = clock.now();
  const start = `${Math.floor(now - hourMs)}-0`;
  if (isAfter(start, picture.cursor)) picture.cursor = start;
  const found: JournalRecord[] = [];
  for (let pages = 0; pages < pagesPerLook; pages += 1) {
    const { entries, last, more } = await journal.since(picture.cursor);
    picture.cursor = last;
    for (const entry of entries) picture.hour.add(entry);
    found.push(...entries.slice(-mostNotices));
    if (!more) break;
  }
  picture.hour.forget(now);
  return found;
}

/** null: it says the same as the last one. */
function renew(source: ConsoleSource, picture: Picture, live: boolean): Overview | null {
  const overview = overviewOf(source, { ...picture, live });
  const before = picture.overview;
  picture.overview = overview;
  const isSame =
    before !== null && JSON.stringify({ ...before, at: overview.at }) === JSON.stringify(overview);
  return isSame ? null : overview;
}

interface ToldPage {
  overview: Overview | null;
  change: ConversationsChange | null;
  entries: readonly JournalRecord[];
}

function streamText({ overview, change, entries }: ToldPage): string {
  const notices: JournalEntry[] = entries.map(({ id, notice }) => ({ id, notice }));
  return [
    overview === null ? '' : eventText('overview', overview),
    change === null ? '' : eventText('conversations', change),
    notices.length === 0 ? '' : eventText('notices', notices),
  ].join('');
}

/** Ids of a stream: a time, and a number within it. */
function isAfter(id: string, other: string): boolean {
  const [time = 0, n = 0] = id.split('-').map(Number);
  const [otherTime = 0, otherN = 0] = other.split('-').map(Number);
  return time > otherTime || (time === otherTime && n > otherN);
}

/** The open pages. One that takes nothing is dropped: it comes back by itself, and is told everything anew. */

export interface Viewers {
  /** false: there are too many. */
  join(response: ServerResponse, until: number | null): boolean;
  count(): number;
  hasNew(): boolean;
  /** `change` to whoever knows what was before, `whole` to whoever has come since. Nothing is sent of an empty one. */
  tell(change: string, whole: () => string): void;
  /** Ends those whose login is over. */
  sweep(now: number): void;
  close(): void;
}

interface Viewer {
  response: ServerResponse;
  until: number | null;
  isNew: boolean;
}

const most = 50;
/** Proxies end a connection on which nothing comes: Heroku's after 55 s. The page, which no comment reaches, after 40 s. */
const heartbeat = { every: 15_000, text: eventText('heartbeat', {}) } as const;

export function createViewers(): Viewers {
  const viewers = new Set<Viewer>();
  const beating = setInterval(() => {
    for (const { response } of viewers) writeEvent(response, heartbeat.text);
  }, heartbeat.every).unref();
  return {
    count: () => viewers.size,
    hasNew: () => [...viewers].some(({ isNew }) => isNew),
    join: (response, until) => {
      if (viewers.size >= most) return false;
      const viewer = { response, until, isNew: true };
      viewers.add(viewer);
      response.once('close', () => viewers.delete(viewer));
      response.writeHead(200, eventHeaders);
      // Its head alone tells the page that it is connected, also while Redis is away.
      response.flushHeaders();
      return true;
    },
    tell: (change, whole) => {
      let text: string | null = null;
      for (const viewer of viewers) {
        if (viewer.isNew) text ??= whole();
        writeEvent(viewer.response, viewer.isNew ? (text ?? '') : change);
        viewer.isNew = false;
      }
    },
    sweep: (now) => {
      for (const { response, until } of viewers) if (until !== null && until <= now) response.end();
    },
    close: () => {
      clearInterval(beating);
      for (const { response } of viewers) response.end();
    },
  };
}

function writeEvent(response: ServerResponse, text: string): void {
  if (response.writableLength > backlog) response.destroy();
  else if (text !== '' && !response.writableEnded) response.write(text);
}
