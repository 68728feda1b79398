import type { KeySeal } from '../accounts/record.ts';
import type { Config } from '../config/index.ts';
import type { Clock } from '../core/ports.ts';
import { isByItself } from '../wechat/component/component.ts';
import { sealComponentAnew, type SealingDeps } from '../wechat/component/secrets.ts';

export interface KeyFollowerOptions extends Omit<SealingDeps, 'seal'> {
  config: Pick<Config, 'components' | 'accountsKeys'>;
  seal: KeySeal | null;
  clock: Pick<Clock, 'now'>;
}

/** Processes that have only the former key yet go on closing with it (ms). */
const againMs = 10 * 60_000;

/**
 * Lets what third-party platforms keep follow a change of ACCOUNTS_KEY, in the background: at its first call, and now
 * and then at later ones, for as long as there is a former key. What Redis did not take is tried at the next call.
 */
export function createKeyFollower(options: KeyFollowerOptions): () => void {
  const { config, seal, clock, log } = options;
  const components = config.components.filter(isByItself);
  if (seal === null || config.accountsKeys.length < 2 || components.length === 0) return () => {};
  let runs = false;
  let nextAt = 0;
  const run = async (): Promise<void> => {
    for (const component of components) await sealComponentAnew(component, { ...options, seal });
    nextAt = clock.now() + againMs;
  };
  return () => {
    if (runs || clock.now() < nextAt) return;
    runs = true;
    run()
      .catch((error: unknown) => log.debug({ error }, 'What components keep was not all closed anew.'))
      .finally(() => (runs = false));
  };
}
