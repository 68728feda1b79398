/** What a third-party platform keeps closed follows the operator's key: after that the former key is not needed. */
import type { KeptSecrets, Log, Seal, SharedCache } from '../core/ports.ts';
import { lockOf } from './token-store.ts';

export interface SealingDeps {
  kept: KeptSecrets;
  /** `isPresent`: the present key has closed it. */
  seal: Seal & { isPresent(sealed: string): boolean };
  cache: Pick<SharedCache, 'lock' | 'unlock'>;
  log: Log;
}

/** One read and one write (ms). */
const lockMs = 5_000;

/**
 * Closes with the present key what a former one has closed, for as long as it had left. What somebody is just renewing
 * is left to the next time. Rejects when Redis is out of reach; what is done by then stays done.
 * @param component its name, for the log, and its AppID
 */
export async function sealComponentAnew(
  { name, appId }: { name: string; appId: string },
  deps: SealingDeps,
): Promise<void> {
  const done = { anew: 0, stuck: 0 };
  for (const each of await deps.kept.names(`wechat/${appId}/`)) {
    const said = await undisturbed(deps, each, () => sealAnew(deps, each));
    if (said !== 'as-it-was') done[said] += 1;
  }
  const { anew, stuck } = done;
  if (anew > 0)
    deps.log.info(
      { component: name, secrets: anew },
      'What it keeps is closed by the present ACCOUNTS_KEY now.',
    );
  if (stuck > 0)
    deps.log.warn(
      { component: name, secrets: stuck },
      'Some of what it keeps was closed by another key: put that one into ACCOUNTS_KEY_PREVIOUS, or let the accounts authorise again.',
    );
}

async function sealAnew({ kept, seal }: SealingDeps, name: string): Promise<'anew' | 'stuck' | 'as-it-was'> {
  const from = await kept.read(name);
  if (from === null || seal.isPresent(from)) return 'as-it-was';
  const secret = seal.open(from, name);
  if (secret === null) return 'stuck';
  return (await kept.replace(name, { from, to: seal.seal(secret, name) })) ? 'anew' : 'as-it-was';
}

/** Who renews a refresh token puts the new one where the old one stands as it was read: it must not be moved meanwhile. */
async function undisturbed<Done>(
  { cache }: SealingDeps,
  name: string,
  work: () => Promise<Done>,
): Promise<Done | 'as-it-was'> {
  const [, component, appId] = /^wechat\/(\w+)\/refresh\/(\w+)$/.exec(name) ?? [];
  if (component === undefined || appId === undefined) return work();
  const key = lockOf(`${component}/${appId}`);
  const lock = await cache.lock(key, lockMs);
  if (lock === null) return 'as-it-was';
  try {
    return await work();
  } finally {
    await cache.unlock(key, lock).catch(() => {});
  }
}
