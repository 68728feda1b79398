/** A page's own files, read once; they are small. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface PageFile {
  type: string;
  body: Buffer;
  gzipped: Buffer;
}

/** By name. */
export type Page = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

export function readPage(folder: URL): Page {
  const files = readdirSync(folder).flatMap((name) => {
    const type = types[extname(name)];
    if (type === undefined) return [];
    const body = readFileSync(new URL(name, folder));
    return [[name, { type, body, gzipped: gzipSync(body, { level: 9 }) }] as const];
  });
  return new Map(files);
}
