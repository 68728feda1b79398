/** NXCloud's check of a call. Source: https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention */
import { createHash } from 'node:crypto';
import { headerOf } from '../core/wire.ts';
import type { Request } from './server.ts';

const WHATSAPP = '2';

interface Credentials {
  accessKey: string;
  accessSecret: string;
  /** In ms. */
  clockTolerance: number;
}

/** 0, or NXCloud's code for the first thing that is wrong. */
export function authenticate(
  credentials: Credentials,
  request: Request,
  expected: { action: string; now: number },
): 0 | 1001 | 1002 | 1003 | 1004 | 1005 {
  const [accessKey, ts, bizType, action, sign] = ['accessKey', 'ts', 'bizType', 'action', 'sign'].map(
    (name) => headerOf(request.headers, name),
  );
  if (!accessKey || !ts || !bizType || !action || !sign) return 1001;
  if (accessKey !== credentials.accessKey) return 1005;
  if (bizType !== WHATSAPP || action !== expected.action) return 1002;
  const drift = Math.abs(Number(ts) - expected.now);
  if (!/^\d+$/.test(ts) || drift > credentials.clockTolerance) return 1004;
  if (headerOf(request.headers, 'content-type')?.startsWith('application/json') !== true) return 1003;
  const signable = { accessKey, action, bizType, ts, body: request.body.toString() };
  return sign === nxcloudSign(signable, credentials.accessSecret) ? 0 : 1003;
}

/**
 * NXCloud's signature, in both directions, written for the simulator alone so that it can judge keeptyping's.
 * Source: https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention and
 * https://github.com/nxtele/http-api-document/wiki/whatsapp-callback-verify
 */

interface Signable {
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
