/**
 * Secrets at rest: AES-256-GCM (NIST SP 800-38D), under a key of the operator's.
 *
 *   v1.<key id>.<nonce>.<ciphertext and tag>      each in base64url; the version and the purpose are authenticated too
 *
 * The key's id tells which key closed it, and nothing of the key.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { Seal } from '../core/seal.ts';

export interface KeySeal extends Seal {
  /** false: it was closed by a key before the present one, or is not to be opened at all. */
  isPresent(sealed: string): boolean;
}

export interface SealOptions {
  /** 32 bytes each: the present one, which closes; then those before, which only open. */
  keys: readonly [Buffer, ...Buffer[]];
  /** So many bytes that nobody can guess or repeat. */
  random: (bytes: number) => Buffer;
}

const algorithm = 'aes-256-gcm';
const version = 'v1';
/** What the standard recommends. At random, one key closes 2^32 secrets before two nonces may meet. */
const nonceBytes = 12;
const tagBytes = 16;

interface Key {
  id: string;
  bytes: Buffer;
}

export function createSeal({ keys, random }: SealOptions): KeySeal {
  const [present, ...before] = keys;
  const closing = nameKey(present);
  const opening = [closing, ...before.map(nameKey)];
  return {
    seal: (secret, purpose) => close(closing, { secret, purpose, nonce: random(nonceBytes) }),
    open: (sealed, purpose) => {
      const parts = readParts(sealed);
      const key = opening.find(({ id }) => id === parts?.id);
      return parts && key ? open(key, parts, purpose) : null;
    },
    isPresent: (sealed) => readParts(sealed)?.id === closing.id,
  };
}

function nameKey(bytes: Buffer): Key {
  const id = createHmac('sha256', bytes).update('keeptyping key id').digest().subarray(0, 6);
  return { bytes, id: id.toString('base64url') };
}

function close(
  { id, bytes }: Key,
  { secret, purpose, nonce }: { secret: string; purpose: string; nonce: Buffer },
): string {
  const cipher = createCipheriv(algorithm, bytes, nonce, { authTagLength: tagBytes });
  cipher.setAAD(bindingOf(purpose));
  const closed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return [version, id, nonce.toString('base64url'), closed.toString('base64url')].join('.');
}

interface Parts {
  id: string;
  nonce: Buffer;
  closed: Buffer;
}

function readParts(sealed: string): Parts | null {
  const [, id = '', nonce = '', closed = ''] =
    /^v1\.([\w-]{8})\.([\w-]{16})\.([\w-]{22,})$/.exec(sealed) ?? [];
  if (id === '') return null;
  return { id, nonce: Buffer.from(nonce, 'base64url'), closed: Buffer.from(closed, 'base64url') };
}

function open({ bytes }: Key, { nonce, closed }: Parts, purpose: string): string | null {
  const decipher = createDecipheriv(algorithm, bytes, nonce, { authTagLength: tagBytes });
  decipher.setAAD(bindingOf(purpose));
  decipher.setAuthTag(closed.subarray(-tagBytes));
  try {
    const secret = Buffer.concat([decipher.update(closed.subarray(0, -tagBytes)), decipher.final()]);
    return secret.toString('utf8');
  } catch {
    return null;
  }
}

function bindingOf(purpose: string): Buffer {
  return Buffer.from(`keeptyping/${version}/${purpose}`, 'utf8');
}
