/** For which accounts behind a component typing is on: said at run time, decided by every process alike. */
import { fractionOf } from './fraction.ts';
import type { Rules } from './rules.ts';

/** What holds for accounts that are not named one by one. */
export type Reach =
  /** As the component's template says. */
  | { is: 'template' }
  | { is: 'all' }
  | { is: 'none' }
  | { is: 'list'; appids: readonly string[] }
  /** So many of a hundred, always the same ones: a higher share keeps those that a lower one had. */
  | { is: 'share'; percent: number };

export interface ComponentTyping {
  typing: Reach;
  /** By AppID; wins over `typing`. */
  accounts: Readonly<Record<string, 'on' | 'off'>>;
}

export const untold: ComponentTyping = { typing: { is: 'template' }, accounts: {} };

type Mode = Rules['mode'];

/** The account's mode. What is switched on where the template is off types continuously. */
export function modeOf({ typing, accounts }: ComponentTyping, appId: string, template: Mode): Mode {
  const own = Object.hasOwn(accounts, appId) ? accounts[appId] : undefined;
  const on = own === undefined ? isReached(typing, appId) : own === 'on';
  if (on === null) return template;
  if (!on) return 'off';
  return template === 'off' ? 'continuous' : template;
}

/** null: the template says. */
function isReached(typing: Reach, appId: string): boolean | null {
  switch (typing.is) {
    case 'template':
      return null;
    case 'all':
      return true;
    case 'none':
      return false;
    case 'list':
      return typing.appids.includes(appId);
    case 'share':
      return fractionOf(appId) * 100 < typing.percent;
  }
}
