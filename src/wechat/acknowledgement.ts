import type { Answer } from '../core/wire.ts';

/** WeChat shows nothing and repeats nothing after it. */
export const acknowledgement: Answer = {
  status: 200,
  headers: [['content-type', 'text/plain; charset=utf-8']],
  body: new TextEncoder().encode('success'),
};
