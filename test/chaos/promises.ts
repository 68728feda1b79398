/** What is promised, and what a judge says of it. */
export type Promised =
  | 'no message is lost'
  | 'no answer is missing'
  | 'no answer comes twice'
  | 'no typing begins after the answer'
  | 'no indicator outlives its turn'
  | 'no call is refused'
  | 'one typing call at a time'
  | 'whoever waits sees typing'
  | 'Redis is left clean'
  | 'a process ends when and as it is told';

export interface Finding {
  promised: Promised;
  /** A user, a process, a key. */
  who: string;
  /** ms since 1970; null: at the end. */
  at: number | null;
  words: string;
}

/** `explained`: a promise was not kept, and a fault that no middleware can make good is the exact cause. */
export interface Verdict {
  broken: Finding[];
  explained: Finding[];
}

export function together(verdicts: readonly Verdict[]): Verdict {
  return {
    broken: verdicts.flatMap(({ broken }) => broken),
    explained: verdicts.flatMap(({ explained }) => explained),
  };
}
