import type { Channel } from '../core/platform.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** An account as somebody wrote it down, not yet checked. */
export interface Candidate {
  channel: Channel;
  name: string;
  from: 'environment' | 'files' | 'record';
  /** Without the empty ones. */
  fields: Fields;
  /** What was found wrong on the way here. */
  faults: readonly string[];
  /** What a fault calls a field: the variable's name, or the place in the files. */
  label: (field: string) => string;
}
