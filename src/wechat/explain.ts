/** What a refusal means, in one sentence, for whoever watches over the bot. */
import { codeOf, type Meaning } from './codes.ts';

const sentences: Readonly<Record<Meaning, string>> = {
  ok: 'WeChat accepted the call.',
  already: 'Typing was on already: nothing to mend.',
  window:
    'WeChat shows typing for 30 s after the last message only; an interim text (WECHAT_INTERIM) opens that time anew.',
  user: 'WeChat does not know this user, or has shut them out: nothing to mend.',
  token:
    'WeChat refuses the access token: let nothing else fetch one with /cgi-bin/token, or name it in WECHAT_ACCESS_TOKEN_URL.',
  busy: 'WeChat is out of order for a moment: nothing to mend.',
  rate: 'WeChat limits the calls of a minute: set WECHAT_TYPING=once, or a WECHAT_START_DELAY_MS.',
  quota:
    "The account's quota of calls is used up: typing is tried again hourly, or clear the quota in the WeChat console.",
  account: 'The account may not: see its notices in the WeChat console.',
  bug: 'WeChat finds our request malformed: report this as a bug of keeptyping.',
  message: 'WeChat refuses this one call: nothing is known to mend.',
};

export function explain(code: number): string {
  const { meaning, remedy } = codeOf(code);
  return remedy === '' ? sentences[meaning] : remedy;
}
