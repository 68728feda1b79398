/** The demo over HTTP: the page at `/` and `/demo`, its files and what it asks below `/demo/`. */
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { channels } from '../core/platform.ts';
import {
  type Handler,
  openStream,
  type Page,
  type PageFile,
  readJson,
  readPage,
  sendFile,
  sendJson,
} from '../pages/pages.ts';
import type { Demo, VisitRefusal } from './demo.ts';
import { troubles } from './world.ts';

/** What a page may ask, read from the wire. */

/** In ms. */
const thinking = { least: 1_000, most: 90_000 } as const;
const longest = 500;

/** What no keyboard types; XML cannot hold it. */
const unprintable = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]+/gu;

const messageBody = z.object({
  channel: z.enum(channels),
  text: z
    .string()
    .transform((text) => text.replace(unprintable, ' ').trim())
    .refine((text) => text.length > 0 && text.length <= longest),
  thinkMs: z.number().int().min(thinking.least).max(thinking.most),
  played: z.boolean().default(false),
});

const troubleBody = z.object({ trouble: z.enum(troubles) });

const refusals: Readonly<Record<VisitRefusal | 'unreadable', readonly [status: number, sentence: string]>> = {
  unknown: [404, 'There is no such visitor: reload the page.'],
  soon: [429, 'That is too much at a time: wait a minute.'],
  enough: [429, 'This visit has had its messages: open the page anew.'],
  full: [503, 'Too many visitors are here: try again in a few minutes.'],
  unreadable: [400, 'Send JSON with what the page sends.'],
};

interface PageRequest {
  request: IncomingMessage;
  response: ServerResponse;
  /** The visitor's, where the path names one. */
  id: string;
}

/** By method and path, `*` standing for a visitor's id. */
const routes: Readonly<Record<string, (demo: Demo, asked: PageRequest) => void | Promise<void>>> = {
  'POST /demo/visitors': enter,
  'GET /demo/visitors/*/events': openEvents,
  'POST /demo/visitors/*/messages': takeMessage,
  'POST /demo/visitors/*/troubles': breakSomething,
};

export function createHandler(demo: Demo): Handler {
  const files = new Map([...readPage(new URL('./page/', import.meta.url)), ...readReadmes()]);
  // oxlint-disable-next-line max-params -- the form that connect and express know
  return (request, response, next) => {
    const { method = '', url = '' } = request;
    const path = url.replace(/\?.*/s, '');
    const file = method === 'GET' || method === 'HEAD' ? fileAt(files, path) : undefined;
    if (file !== undefined) return sendFile(request, response, file);
    const [, id = ''] = /^\/demo\/visitors\/([^/]{1,100})\//.exec(path) ?? [];
    const route = routes[`${method} ${id === '' ? path : path.replace(id, '*')}`];
    if (route === undefined) return next();
    // Whoever hangs up while sending is not to be answered.
    void Promise.resolve(route(demo, { request, response, id })).catch(() => response.destroy());
  };
}

/** As text, which every browser shows. An image may have left them out. */
function readReadmes(): [string, PageFile][] {
  return ['README.md', 'README.zh-CN.md'].flatMap((name) => {
    const place = new URL(`../../${name}`, import.meta.url);
    if (!existsSync(place)) return [];
    const body = readFileSync(place);
    return [[name, { type: 'text/plain; charset=utf-8', body, gzipped: gzipSync(body) }]];
  });
}

function fileAt(files: Page, path: string): PageFile | undefined {
  if (path === '/' || path === '/demo') return files.get('index.html');
  return path.startsWith('/demo/') ? files.get(path.slice('/demo/'.length)) : undefined;
}

async function enter(demo: Demo, { request, response }: PageRequest): Promise<void> {
  if ((await readJson(request)) === undefined) return refuse(response, 'unreadable');
  const visitor = demo.enter();
  if (typeof visitor !== 'string') return refuse(response, visitor.refused);
  sendJson(response, 201, { visitor });
}

function openEvents(demo: Demo, { response, id }: PageRequest): void {
  const stream = openStream(response);
  const close = demo.open(id, stream);
  if (typeof close !== 'function') return refuse(response, close.refused);
  response.once('close', close);
}

async function takeMessage(demo: Demo, { request, response, id }: PageRequest): Promise<void> {
  const body = messageBody.safeParse(await readJson(request));
  say(response, body.success ? demo.write(id, body.data) : 'unreadable');
}

async function breakSomething(demo: Demo, { request, response, id }: PageRequest): Promise<void> {
  const body = troubleBody.safeParse(await readJson(request));
  say(response, body.success ? demo.trouble(id, body.data.trouble) : 'unreadable');
}

function say(response: ServerResponse, result: 'ok' | VisitRefusal | 'unreadable'): void {
  if (result === 'ok') return sendJson(response, 202, {});
  refuse(response, result);
}

function refuse(response: ServerResponse, refusal: VisitRefusal | 'unreadable'): void {
  const [status, error] = refusals[refusal];
  sendJson(response, status, { error, refusal });
}
