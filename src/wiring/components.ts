import type { ComponentTypings } from '../accounts/component-typing.ts';
import type { Skipped } from '../config/index.ts';
import type { KeptToken } from '../control/components.ts';
import { behindOf, type Place, type Served } from '../core/roster.ts';
import { type ComponentsOptions, type Live, make, open } from './component-live.ts';
export type { ComponentsOptions } from './component-live.ts';

/** The third-party platforms of this process, and the accounts behind them as they are named. */
export interface Components {
  /** Of those that are served. */
  names: readonly string[];
  skipped: readonly Skipped[];
  typings: ComponentTypings;
  /** The account of that name behind a component, made where it is not there yet; null: there can be none. */
  more(place: Place): Served | null;
  /**
   * The same for who may be anybody: it is not kept before a push has proved that WeChat means it, so made-up AppIDs
   * displace nobody and take no share.
   */
  named(place: Place): Served | null;
  /** Those that it has made, and kept. */
  all(): readonly Served[];
  /** How many. */
  made(): number;
  isAuto(place: Place): boolean;
  /** Takes an authorizer's refresh token from an operator. Rejects when Redis is out of reach. */
  keepRefreshToken(component: string, appId: string, token: string): Promise<KeptToken>;
}

/** Accounts that nobody has written to for longest are forgotten first, and made anew when they are named again. */
const kept = 2_000;

export function createComponents(options: ComponentsOptions): Components {
  const { typings } = options;
  const { all, skipped } = openAll(options);
  const made = new Map<string, Served>();
  const find = ({ channel, account }: Place): Served | null => {
    const behind = channel === 'wechat' ? behindOf(account) : null;
    const here = behind && all.get(behind.component);
    if (!here) return null;
    const proved = (): void => {
      if (!made.has(account)) remember(made, account, served);
    };
    const served = made.get(account) ?? make(here, { appId: behind.appId, proved }, options);
    return served;
  };
  return {
    names: [...all.keys()],
    skipped,
    typings,
    more: (place) => {
      const served = find(place);
      if (served) remember(made, place.account, served);
      return served;
    },
    named: find,
    all: () => [...made.values()],
    made: () => made.size,
    isAuto: ({ account }) =>
      all.get(behindOf(account)?.component ?? '')?.component.template.afterAck === 'auto',
    keepRefreshToken: async (name, appId, token) => {
      const keep = all.get(name)?.live.keepRefreshToken;
      if (!keep)
        return {
          is: 'refused',
          error: `The component ${name} does not refresh tokens by itself: its token service has the refresh tokens.`,
        };
      await keep(appId, token);
      return { is: 'kept' };
    },
  };
}

function openAll(options: ComponentsOptions): { all: Map<string, Live>; skipped: Skipped[] } {
  const skipped: Skipped[] = [];
  const all = new Map<string, Live>();
  for (const component of options.config.components) {
    const live = open(component, options);
    if ('reason' in live) skipped.push({ account: `component/${component.name}`, reason: live.reason });
    else all.set(component.name, { component, live });
  }
  return { all, skipped };
}

function remember(made: Map<string, Served>, account: string, served: Served): void {
  made.delete(account);
  made.set(account, served);
  const [oldest] = made.keys();
  if (made.size > kept && oldest !== undefined) made.delete(oldest);
}
