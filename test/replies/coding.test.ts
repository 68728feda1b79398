import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BotAnswer, LateSend, Platform } from '../../src/core/platform.ts';
import type { Answer } from '../../src/core/wire.ts';
import { meaningIn } from '../../src/replies/call-bot.ts';
import { decode, decoded } from '../../src/replies/coding.ts';
import { botAnswerOf, readPassive } from '../../src/wechat/answer.ts';

const words = '<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[答案]]></Content></xml>';
const answerOf = (body: Uint8Array, encoding?: string): Answer => ({
  status: 200,
  headers: encoding === undefined ? [] : [['Content-Encoding', encoding]],
  body,
});

/** What allows it is the Accept-Encoding that the platform sends: CDNs and frameworks compress text for that. */
describe('a compressed answer', () => {
  test.each<[string, Uint8Array]>([
    ['gzip', gzipSync(words)],
    ['x-gzip', gzipSync(words)],
    ['GZIP', gzipSync(words)],
    ['deflate', deflateSync(words)],
    ['deflate', deflateRawSync(words)],
    ['br', brotliCompressSync(words)],
    ['gzip, br', brotliCompressSync(gzipSync(words))],
    ['identity', Buffer.from(words)],
    ['', Buffer.from(words)],
  ])('(%s) is read', (encoding, body) => {
    const read = decoded(answerOf(body, encoding));
    expect(Buffer.from(read?.body ?? []).toString()).toBe(words);
  });

  test('is the same object where nothing is encoded', () => {
    const answer = answerOf(Buffer.from(words));
    expect(decoded(answer)).toBe(answer);
  });

  test.each<[string, Uint8Array]>([
    ['gzip', Buffer.from(words)],
    ['compress', Buffer.from(words)],
    ['gzip', gzipSync(Buffer.alloc(2_000_000))],
    ['br', Buffer.alloc(0)],
  ])('that is not what it says (%s), or too long, is none', (encoding, body) => {
    expect(decoded(answerOf(body, encoding))).toBeNull();
  });

  test('is bounded before it costs', () => {
    expect(decode(gzipSync(Buffer.alloc(1_001)), 'gzip', 1_000)).toBeNull();
    expect(decode(gzipSync(Buffer.alloc(1_000)), 'gzip', 1_000)).toHaveLength(1_000);
  });
});

const wechat = {
  readAnswer: async ({ body }: Answer): Promise<BotAnswer> => botAnswerOf(readPassive(body, [])),
  sendLate: async (): Promise<LateSend> => ({ is: 'sent' }),
} as unknown as Platform;

test.each<[string, string, string]>([
  ['success', 'gzip', 'acknowledgement'],
  ['', 'gzip', 'acknowledgement'],
  [words, 'gzip', 'message'],
])('a compressed %j means what it says', async (text, encoding, meaning) => {
  expect(await meaningIn(wechat, answerOf(gzipSync(text), encoding))).toBe(meaning);
});
