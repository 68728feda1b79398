/** What the functions of the simulated NXCloud API work with. */
import type { Verdict } from './api-server.ts';
import { type Random, randomText } from './faults.ts';
import type { Messages } from './nxcloud-messages.ts';
import { metaRefused, refused } from './nxcloud-replies.ts';
import type { NxcloudRules } from './nxcloud-rules.ts';
import type { Phones } from './phones.ts';

export interface NxcloudApiOptions {
  accessKey: string;
  accessSecret: string;
  appKey: string;
  businessPhone: string;
  rules: NxcloudRules;
  phones: Phones;
  messages: Messages;
  now: () => number;
  random: Random;
  /** A message has gone out: its statuses are due. */
  announce: (sent: Sent) => void;
}

export interface Sent {
  id: string;
  user: string;
  /** The call's own `dr_webhook`. */
  webhook: string | null;
}

/** A new message's id. */
export function createId(random: Random): string {
  return `wamid.${randomText(random, 32)}`;
}

export function missing(field: string): Verdict {
  return refused(9000, `Invalid parameter (${field} is missing or wrong)`);
}

export function meta(
  options: NxcloudApiOptions,
  code: number,
  about: { details: string; wrapper?: 0 | 9099 },
): Verdict {
  return metaRefused(
    { code, details: about.details, traceId: `A${randomText(options.random, 22)}` },
    about.wrapper ?? 0,
  );
}
