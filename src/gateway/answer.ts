import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { pairs, type Answer } from '../core/wire.ts';
import { answerLines } from './lines.ts';

/** The API's answer, decoded; null when none came, or none that can be read. Called once. */
export type Told = (answer: Answer | null) => void;

/** What is read is some 100 bytes; longer answers pass unread (bytes). */
const readLimit = 64 * 1024;
const decodedLimit = 256 * 1024;

/**
 * Hands the API's answer to the bot as it comes, and reads it on the way where somebody is to be told.
 * @throws Error when a header line of the answer cannot be written
 */
export function relayAnswer(answer: IncomingMessage, response: ServerResponse, told: Told | null): void {
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answerLines(answer));
  const copy = told === null ? null : createCopy(answer, told);
  let left = Number(answer.headers['content-length'] ?? Number.NaN);
  answer.on('data', (chunk: Buffer) => {
    copy?.add(chunk);
    left -= chunk.length;
    // Told before the last bytes leave: what the bot does next may depend on what was told.
    if (left === 0) copy?.end();
    if (left === 0) response.end(chunk);
    else if (!response.write(chunk)) answer.pause();
  });
  response.on('drain', () => answer.resume());
  answer.once('end', () => {
    if (response.writableEnded) return;
    copy?.end();
    if (answer.rawTrailers.length > 0)
      response.addTrailers(pairs(answer.rawTrailers).map(([...line]) => line));
    response.end();
  });
  // A broken connection is an error of this stream too; its close follows.
  answer.on('error', () => {});
  answer.once('close', () => {
    if (!answer.complete) cut(response);
  });
}

/** The bot must not take half an answer for a whole one. Where its end is the connection's end, only a reset tells. */
function cut(response: ServerResponse): void {
  if (response.req.httpVersionMinor === 0) response.socket?.resetAndDestroy();
  response.destroy();
}

function createCopy(answer: IncomingMessage, told: Told) {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk: Buffer): void {
      size += chunk.length;
      if (size <= readLimit) chunks.push(chunk);
      else chunks.length = 0;
    },
    end(): void {
      const body =
        size > readLimit ? null : decode(Buffer.concat(chunks), answer.headers['content-encoding']);
      told(body && { status: answer.statusCode ?? 0, headers: pairs(answer.rawHeaders), body });
    },
  };
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1; "deflate" is often sent without its zlib wrapper. */
const decoders = new Map<string, (body: Buffer) => Buffer>([
  ['identity', (body) => body],
  ['gzip', (body) => gunzipSync(body, decodeOptions)],
  ['x-gzip', (body) => gunzipSync(body, decodeOptions)],
  ['br', (body) => brotliDecompressSync(body, decodeOptions)],
  ['deflate', inflate],
]);
const decodeOptions = { maxOutputLength: decodedLimit };

function inflate(body: Buffer): Buffer {
  // The wrapper's first byte: https://www.rfc-editor.org/rfc/rfc1950#section-2.2
  return ((body[0] ?? 0) & 0x0f) === 8 ? inflateSync(body, decodeOptions) : inflateRawSync(body, decodeOptions);
}

/** null when the body is not what its header says, too long, or encoded in a way that Node does not know. */
function decode(body: Buffer, encoding = 'identity'): Buffer | null {
  const codings = encoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  try {
    return codings.reduceRight<Buffer | null>(
      (bytes, coding) => (bytes && decoders.get(coding)?.(bytes)) ?? null,
      body,
    );
  } catch {
    return null;
  }
}
