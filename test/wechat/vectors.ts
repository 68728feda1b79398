/** The published vectors, each looked up by its id. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const text = z.string().default('');
const vector = z.object({
  id: z.string(),
  token: text,
  timestamp: text,
  nonce: text,
  echostr: text,
  signature: text,
  msg_signature: text,
  encodingAESKey: text,
  appid: text,
  encrypt: text,
  random: text,
  plain: text,
  body: text,
});
export type Vector = z.infer<typeof vector>;

const file = readFileSync(new URL('../vectors/wechat.json', import.meta.url), 'utf8');
const { vectors } = z.object({ vectors: z.array(vector) }).parse(JSON.parse(file));

export function vectorOf(id: string): Vector {
  const found = vectors.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no vector ${id}`);
  return found;
}
