/** What a refusal means, in one sentence, for whoever watches over the bot. */
import { metaCodes, platformCodes, type Meaning } from './codes.ts';

const sentences: Readonly<Record<Exclude<Meaning['means'], 'account'>, string>> = {
  transient: 'NXCloud or WhatsApp is out of order for a moment: nothing to mend.',
  failed:
    "WhatsApp refused the call for a reason that it does not name: ask NXCloud's support if it goes on.",
  bug: 'NXCloud finds our request malformed: report this as a bug of keeptyping.',
  resign: "The server's clock differs from NXCloud's by more than 60 s: set it by NTP.",
  message: 'WhatsApp shows no typing for this message any more: nothing to mend.',
  window: 'The user wrote more than 24 h ago: typing comes back with the next message.',
  user: 'WhatsApp limits the calls to one user: nothing to mend.',
  number: 'WhatsApp limits the calls of this number: set NXCLOUD_TYPING=once, or a NXCLOUD_START_DELAY_MS.',
};

export function explain(code: number): string {
  const known = [...platformCodes, ...metaCodes].find(
    (each) => each.code <= code && code <= (each.upTo ?? each.code),
  );
  if (!known) return 'This code is not known: nothing is known to mend.';
  return known.means === 'account' ? known.remedy : sentences[known.means];
}
