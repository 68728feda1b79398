/**
 * NXCloud's signature, in both directions, written for the simulator alone so that it can judge keeptyping's.
 * Source: https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention and
 * https://github.com/nxtele/http-api-document/wiki/whatsapp-callback-verify
 */
import { createHash } from 'node:crypto';

export interface Signable {
  accessKey: string;
  action: string;
  bizType: string;
  /** ms since 1970. */
  ts: string;
  /** The exact text on the wire; empty when there is none. */
  body: string;
}

/** Lower-case hex. NXCloud's calls use md5; callbacks may use sha256. */
export function nxcloudSign(signable: Signable, secret: string, algorithm: 'md5' | 'sha256' = 'md5'): string {
  const { accessKey, action, bizType, ts, body } = signable;
  const head = `accessKey=${accessKey}&action=${action}&bizType=${bizType}&ts=${ts}`;
  const text = `${head}${body === '' ? '' : `&body=${body}`}&accessSecret=${secret}`;
  return createHash(algorithm).update(text).digest('hex');
}
