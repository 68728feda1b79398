/** From NXCloud's answer to a typing call to what the call achieved. */
import type { Outcome } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import { metaCodes, platformCodes, type KnownCode, type Meaning } from './codes.ts';
import { codeOf, fieldsOf, parseFields, type Fields } from './fields.ts';

export interface Verdict {
  outcome: Outcome;
  /** The code's name in the tables, for the log. */
  name: string;
  /** What is worth doing, once, before the outcome counts. `resign`: the same with a fresh timestamp. */
  next: 'nothing' | 'retry' | 'resign';
}

/** WhatsApp takes about one message per 6 s to one user; this waits for the next such slot and some more. In ms. */
const userBackOff = 10_000;
/** In ms, for a first refusal: whoever counts refusals in a row lets it grow. */
const accountBackOff = 30_000;

/**
 * Success is `code` 0 without `data.error`: Meta's refusals come inside code 0 here, and inside 9099 elsewhere.
 * An answer that is not NXCloud's own says nothing about what was shown.
 * https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator ("Recommended success criteria")
 */
export function verdictOf(answer: Answer): Verdict {
  const fields = parseFields(answer.body);
  const code = codeOf(fields?.code);
  if (fields === null || code === null) return unreadable(answer.status);
  const error = fieldsOf(fields.data).error ?? null;
  if (error !== null) return downstream(fieldsOf(error), code);
  if (code !== 0) return judge(code, platformCodes);
  return isSuccess(answer.status)
    ? { outcome: { is: 'done' }, name: 'success', next: 'nothing' }
    : unreadable(answer.status);
}

function downstream(error: Fields, code: number): Verdict {
  const metaCode = codeOf(error.code);
  if (metaCode !== null) return judge(metaCode, metaCodes);
  return judge(code === 0 ? 9099 : code, platformCodes);
}

function unreadable(status: number): Verdict {
  const name = `HTTP ${status} without NXCloud's answer`;
  if (status === 429) return { outcome: backOff(status), name, next: 'nothing' };
  return {
    outcome: { is: 'lost', begun: true, cause: name },
    name,
    next: status >= 500 ? 'retry' : 'nothing',
  };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

/** A code that the table does not hold is a failure that says nothing about the next call. */
function judge(code: number, table: readonly KnownCode[]): Verdict {
  const known = table.find((entry) => code >= entry.code && code <= (entry.upTo ?? entry.code));
  if (known === undefined) return { outcome: { is: 'failed', code }, name: 'unknown', next: 'nothing' };
  return { outcome: outcomeOf(code, known), name: known.name, next: nextAfter(known) };
}

function nextAfter({ means }: Meaning): Verdict['next'] {
  if (means === 'transient') return 'retry';
  return means === 'resign' ? 'resign' : 'nothing';
}

function outcomeOf(code: number, meaning: Meaning): Outcome {
  switch (meaning.means) {
    case 'transient':
    case 'failed':
    case 'resign':
      return { is: 'failed', code };
    case 'bug':
      return { is: 'failed', code, bug: true };
    case 'message':
      return { is: 'message-refused', code };
    case 'window':
      return { is: 'window-closed', code };
    case 'user':
      return { is: 'user-back-off', code, forMs: userBackOff };
    case 'number':
      return backOff(code);
    case 'account':
      return { is: 'account-off', code, remedy: meaning.remedy };
  }
}

function backOff(code: number): Outcome {
  return { is: 'account-back-off', code, forMs: accountBackOff };
}
