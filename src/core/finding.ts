/** One thing that was looked at, and how it stands. Nothing in it is a secret. */
export interface Finding {
  /** `warn`: works, but not as well as it could. `fail`: the indicator or the messages suffer. */
  level: 'ok' | 'warn' | 'fail';
  /** What was looked at: `Redis memory`, `wechat/shop access token`. */
  subject: string;
  /** How it stands, in one sentence. */
  says: string;
  /** How to mend it, in one sentence; empty where there is nothing to mend. */
  remedy: string;
}

/** What somebody should mend. */
export type Fault = Pick<Finding, 'says' | 'remedy'>;

export function ok(subject: string, says: string): Finding {
  return { level: 'ok', subject, says, remedy: '' };
}

export function warn(subject: string, fault: Fault): Finding {
  return { level: 'warn', subject, ...fault };
}

export function fail(subject: string, fault: Fault): Finding {
  return { level: 'fail', subject, ...fault };
}
