import { fail, type Finding, ok, warn } from '../core/platform.ts';

/** The configuration as its loader describes it. */
export interface Loaded {
  /** `channel/name` of each account. */
  accounts: readonly string[];
  skipped: readonly { account: string; reason: string }[];
  warnings: readonly string[];
  /** The panic switch is on. */
  bypass: boolean;
  /** Whether there are accounts that were set at run time. @default none */
  records?: 'some' | 'none' | 'unknown';
}

const subject = 'configuration';

export function examineConfiguration(loaded: Loaded): Finding[] {
  const { skipped, warnings, bypass } = loaded;
  return [
    servedFinding(loaded),
    ...skipped.map(({ account, reason }) =>
      fail(`${account} configuration`, {
        says: `this account is skipped: ${reason}`,
        remedy: 'Correct it and start keeptyping anew.',
      }),
    ),
    ...(bypass ? [warn('BYPASS', { says: 'is set: pushes are only passed on', remedy: 'Unset it.' })] : []),
    ...warnings.map((says) => warn(subject, { says: withoutStop(says), remedy: '' })),
  ];
}

function servedFinding({ accounts, records = 'none' }: Loaded): Finding {
  if (accounts.length > 0) return ok(subject, `serves ${accounts.join(', ')}`);
  switch (records) {
    case 'some':
      return ok(subject, 'defines no account: those that were set at run time are served');
    case 'none':
      return fail(subject, { says: 'no account is configured', remedy: firstSteps });
    case 'unknown':
      return warn(subject, {
        says: 'defines no account, and whether some were set at run time is not known',
        remedy: 'Mend Redis.',
      });
  }
}

/** Nothing else can be looked at then. */
export function examineFaults(faults: readonly string[]): Finding[] {
  return faults.map((says) =>
    fail(subject, { says: withoutStop(says), remedy: 'keeptyping does not start with this.' }),
  );
}

const firstSteps =
  'Set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL, or NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET, NXCLOUD_APP_KEY and NXCLOUD_BOT_URL.';

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '');
}
