/** The open pages. One that takes nothing is dropped: it comes back by itself, and is told everything anew. */
import type { ServerResponse } from 'node:http';
import { backlog, eventHeaders, eventText } from '../pages/respond.ts';

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

export const most = 50;
/** Proxies end a connection on which nothing comes: Heroku's after 55 s. The page, which no comment reaches, after 40 s. */
const heartbeat = { every: 15_000, text: eventText('heartbeat', {}) } as const;

export function createViewers(): Viewers {
  const viewers = new Set<Viewer>();
  const beating = setInterval(() => {
    for (const { response } of viewers) write(response, heartbeat.text);
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
        write(viewer.response, viewer.isNew ? (text ?? '') : change);
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

function write(response: ServerResponse, text: string): void {
  if (response.writableLength > backlog) response.destroy();
  else if (text !== '' && !response.writableEnded) response.write(text);
}
