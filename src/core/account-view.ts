/** One account as an operator sees it. Never a secret, nor anything of one. */
export interface AccountView {
  channel: string;
  account: string;
  /** `record`: set at run time. */
  source: 'environment' | 'files' | 'record';
  /** `faulty`: what is written there cannot be used. */
  state: 'ok' | 'faulty';
  /** Why it is faulty; null: it is not. */
  reason: string | null;
  /** null: nothing of it is served. */
  serves: AccountServes | null;
}

export interface AccountServes {
  typing: TypingNow;
  /** As a configuration file spells them; URLs without what may be a secret. */
  fields: Readonly<Record<string, unknown>>;
  secrets: Readonly<Record<string, 'set' | 'unset'>>;
}

/** `until`: ms since 1970, null: until somebody changes it. `code`, `remedy`: the platform's, and what mends it. */
export type TypingNow =
  | { is: 'on' }
  | {
      is: 'off';
      reason: 'mode_off' | 'no_permission';
      until: number | null;
      code: number | null;
      remedy: string | null;
    };
