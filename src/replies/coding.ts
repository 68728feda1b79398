/**
 * Answers that come compressed: a CDN or a framework compresses for whoever allows it, and the platform's own
 * `Accept-Encoding` travels on with its push. https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1
 */
import * as zlib from 'node:zlib';
import { type Answer, headerOf } from '../core/wire.ts';

type Decode = (body: Uint8Array, most: number) => Uint8Array;

const sized =
  (decode: (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array): Decode =>
  (body, most) =>
    decode(body, { maxOutputLength: most });

/** Of Node 22.15 and later. */
const { zstdDecompressSync: unzstd } = zlib as { zstdDecompressSync?: typeof zlib.brotliDecompressSync };

const gunzip = sized(zlib.gunzipSync);
const decoders = new Map<string, Decode>([
  ['identity', (body) => body],
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['br', sized(zlib.brotliDecompressSync)],
  // "deflate" is often sent without its wrapper, whose first byte is https://www.rfc-editor.org/rfc/rfc1950#section-2.2
  [
    'deflate',
    (body, most) => sized(((body[0] ?? 0) & 0x0f) === 8 ? zlib.inflateSync : zlib.inflateRawSync)(body, most),
  ],
  ...(unzstd ? [['zstd', sized(unzstd)] as const] : []),
]);

/** null: the body is not what its header says, longer than `most` bytes, or encoded in a way that Node does not know. */
export function decode(body: Uint8Array, encoding: string, most: number): Uint8Array | null {
  const codings = encoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  try {
    return codings.reduceRight<Uint8Array | null>(
      (bytes, coding) => (bytes && decoders.get(coding)?.(bytes, most)) ?? null,
      body,
    );
  } catch {
    return null;
  }
}

/** No platform's message is longer (bytes). */
const longest = 1024 * 1024;

/** The answer as it can be read; null: it cannot. */
export function decoded(answer: Answer): Answer | null {
  const encoding = headerOf(answer.headers, 'Content-Encoding');
  if (encoding === null || encoding.trim() === '') return answer;
  const body = decode(answer.body, encoding, longest);
  return body && { ...answer, body };
}
