/** The bot's own calls: https://github.com/nxtele/nxcloud-doc-en/wiki/WhatsApp-API-mt */
import { type OwnCall, type OwnCalls, tidyPath, type Verdict } from '../core/platform.ts';
import type { Answer, Fields } from '../core/wire.ts';
import type { NxcloudAccount } from './account.ts';
import { verdictOf } from './codes.ts';
import { fieldsOf, listOf, parseFields } from './message.ts';
import { idOf, namesOf, phoneOf, spelled, userOf } from './people.ts';

const sendPath = '/api/wa/mt';

type Reading = Pick<NxcloudAccount, 'businessPhone'>;

/** The bot's own typing call is not read: it names a message and no user. */
export function createOwnCalls(
  account: Reading,
  isInterim: (text: string | null) => boolean = () => false,
): OwnCalls {
  return {
    reads: (method, path) => method === 'POST' && tidyPath(path) === sendPath,
    read: (_, body) => {
      const fields = parseFields(body);
      return fields && read(fields, account, isInterim);
    },
    verdict,
  };
}

/** A reaction is no answer to what the user wrote: it ends no wait, and takes no indicator away. */
function read(
  fields: Fields,
  { businessPhone }: Reading,
  isInterim: (text: string | null) => boolean,
): OwnCall | null {
  const { type, to, recipient, recipient_type } = fields;
  const user = recipient_type === 'group' ? idOf(to) : (phoneOrId(to) ?? userOf(recipient));
  if (user === null) return null;
  if (type === 'reaction') return { is: 'aside', user };
  const from = businessPhone === null ? phoneOf(fields.business_phone) : null;
  const said = idOf(fieldsOf(fields.text).body);
  const interim = isInterim(said) ? ({ isInterim: true } as const) : {};
  return { is: 'send', user, ...(from === null ? {} : { from }), ...interim };
}

/** A phone number may be written with "+", spaces and dashes; pushes spell it in digits alone. */
function phoneOrId(to: unknown): string | null {
  const written = typeof to === 'number' || (typeof to === 'string' && /^[+\d\s().-]+$/.test(to));
  const phone = written ? phoneOf(to) : null;
  return written ? phone && spelled(phone) : userOf(to);
}

function verdict(answer: Answer): Verdict {
  const { outcome, name } = verdictOf(answer);
  if (outcome.is !== 'done')
    return 'code' in outcome ? { is: 'refused', code: outcome.code, name } : { is: 'unknown' };
  const { messages, contacts } = fieldsOf(parseFields(answer.body)?.data);
  // `wa_id` can be another number than the one that it was sent to (`input`).
  const [contact, ...others] = listOf(contacts);
  const names = contact && others.length === 0 ? namesOf(contact) : [];
  // The id that the message's statuses will carry.
  const messageId = idOf(listOf(messages)[0]?.id);
  return { is: 'accepted', messageId, ...(names.length > 0 ? { names } : {}) };
}
