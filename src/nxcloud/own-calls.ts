/** The bot's own calls: https://github.com/nxtele/nxcloud-doc-en/wiki/WhatsApp-API-mt */
import { type OwnCall, type OwnCalls, tidyPath, type Verdict } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import { verdictOf } from './codes.ts';
import { fieldsOf, idOf, listOf, parseFields, phoneOf, userOf } from './message.ts';

const sendPath = '/api/wa/mt';

/** The bot's own typing call is not read: it names a message and no user. */
export const ownCalls: OwnCalls = {
  reads: (method, path) => method === 'POST' && tidyPath(path) === sendPath,
  read: (_, body) => read(body),
  verdict,
};

/** A reaction is no answer to what the user wrote: it ends no wait, and takes no indicator away. */
function read(body: Uint8Array): OwnCall | null {
  const fields = parseFields(body);
  if (fields === null || fields.type === 'reaction') return null;
  const user = phoneOrId(fields.to) ?? userOf(fields.recipient);
  return user === null ? null : { is: 'send', user };
}

/** A phone number may be written with "+", spaces and dashes; pushes spell it in digits alone. */
function phoneOrId(to: unknown): string | null {
  const written = typeof to === 'number' || (typeof to === 'string' && /^[+\d\s().-]+$/.test(to));
  return written ? phoneOf(to) : userOf(to);
}

function verdict(answer: Answer): Verdict {
  const { outcome, name } = verdictOf(answer);
  if (outcome.is === 'done') return { is: 'accepted', messageId: messageIdOf(answer) };
  return 'code' in outcome ? { is: 'refused', code: outcome.code, name } : { is: 'unknown' };
}

/** The id that the message's statuses will carry. */
function messageIdOf({ body }: Answer): string | null {
  const { messages } = fieldsOf(parseFields(body)?.data);
  return idOf(listOf(messages)[0]?.id);
}
