import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * WeChat's signature: SHA-1, in lower-case hex, over the sorted and joined parts. Three parts (token, timestamp,
 * nonce) sign a query, a fourth (Encrypt) signs the body too.
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
export function sign(parts: readonly string[]): string {
  return createHash('sha1')
    .update([...parts].sort().join(''))
    .digest('hex');
}

/** Whether one of the tokens made this signature over `parts`. More than one token stands during a rotation. */
export function isSigned(signature: string, tokens: readonly string[], parts: readonly string[]): boolean {
  return tokens.some((token) => equalInConstantTime(signature, sign([token, ...parts])));
}

function equalInConstantTime(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
