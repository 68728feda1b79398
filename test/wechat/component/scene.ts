/** A third-party platform in one process, with what it is given by hand. */
import type { KeptSecrets, Seal } from '../../../src/core/ports.ts';
import { createComponentSecrets } from '../../../src/wechat/component/secrets.ts';
import { createComponentTokens } from '../../../src/wechat/component/tokens.ts';
import { vendor } from '../../support/accounts.ts';
import { handClock } from '../../support/clock.ts';
import { recordLog } from '../../support/log.ts';
import { fakeCache, scriptedSend } from '../../support/wechat.ts';

export const shop = 'wx1111111111111111';

/** Shows what is closed for what, and opens it only for that. */
export const plainSeal: Seal = {
  seal: (secret, purpose) => `closed(${purpose}):${secret}`,
  open: (sealed, purpose) =>
    sealed.startsWith(`closed(${purpose}):`) ? sealed.slice(`closed(${purpose}):`.length) : null,
};

/** `down` counts how many further calls reject. */
export function fakeKept(): KeptSecrets & { entries: Map<string, string>; down: number } {
  const entries = new Map<string, string>();
  const kept = {
    entries,
    down: 0,
    read: async (name: string) => reach(() => entries.get(name) ?? null),
    write: async (name: string, value: string) => reach(() => void entries.set(name, value)),
    replace: async (name: string, { from, to }: { from: string; to: string }) =>
      reach(() => {
        const stands = entries.get(name);
        if (stands === from) entries.set(name, to);
        return stands === from || stands === to;
      }),
    drop: async (name: string) => reach(() => void entries.delete(name)),
    names: async (start: string) => reach(() => [...entries.keys()].filter((name) => name.startsWith(start))),
  };
  function reach<T>(work: () => T): T {
    if (kept.down > 0) {
      kept.down -= 1;
      throw new Error('away');
    }
    return work();
  }
  return kept;
}

export function tokenScene(send: ReturnType<typeof scriptedSend>) {
  const [clock, log, kept] = [handClock(), recordLog(), fakeKept()];
  const cache = fakeCache(clock);
  const secrets = createComponentSecrets(vendor.appId, { kept, seal: plainSeal, now: clock.now });
  /** As another process has it. */
  const process = () => createComponentTokens(vendor, { send, clock, cache, log, secrets, seal: plainSeal });
  const sent = () => send.requests.map(({ url }) => new URL(url).pathname.split('/').at(-1));
  return { clock, log, kept, cache, secrets, process, sent, tokens: process() };
}
