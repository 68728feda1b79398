/** WeChat's codes as the core's outcomes of typing calls. */
import type { Outcome } from '../core/platform.ts';
import { codeOf } from './codes.ts';

const hour = 3_600_000;

/** The outcome of a Typing that WeChat answered with this code, token refresh and quick retry already tried. */
export function shownOutcome(code: number): Outcome {
  const { meaning, remedy } = codeOf(code);
  switch (meaning) {
    case 'ok':
      return { is: 'done' };
    case 'already':
      return { is: 'already' };
    case 'window':
      return { is: 'window-closed', code };
    case 'user':
      return { is: 'user-back-off', code, forMs: hour };
    case 'token':
      // WeChat refused a token which its own endpoint has just confirmed: asking faster would not help.
      return { is: 'account-back-off', code, forMs: 60_000 };
    case 'rate':
      return { is: 'account-back-off', code, forMs: 5000 };
    case 'quota':
      // 45009 is the daily quota, but for some accounts the minute's; it names no reset time. Hourly is right for both.
      return { is: 'account-back-off', code, forMs: hour };
    case 'account':
      return { is: 'account-off', code, remedy };
    case 'bug':
      return { is: 'failed', code, bug: true };
    default:
      return { is: 'failed', code };
  }
}

/** The outcome of a CancelTyping. Where the user cannot be reached, nothing can show either. */
export function hiddenOutcome(code: number): Outcome {
  const { meaning } = codeOf(code);
  if (meaning === 'window') return { is: 'done' };
  return meaning === 'already' ? { is: 'failed', code } : shownOutcome(code);
}
