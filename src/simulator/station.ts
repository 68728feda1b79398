/** What both simulated platforms are made of beside their own rules. */
import { setMaxListeners } from 'node:events';
import type { Channel } from '../core/platform.ts';
import { type Api, type ApiCall, startApi, type Way } from './api-server.ts';
import { createFaults, type Faults } from './faults.ts';
import { createPhones, type Listener, type Phone, type Phones } from './phones.ts';

/** What may be asked of either platform. */
export interface Premises {
  /** Instead of the platform's own address; no slash at the end. */
  readonly apiBase: string;
  /** Every API call in the order of arrival. */
  readonly calls: readonly ApiCall[];
  readonly faults: Faults;
  /** Where pushes go, as set in the platform's console. */
  connect: (webhookUrl: string) => void;
  phone: (user: string) => Phone;
  /** Forgets a user, and calls about nobody (tokens) with them: a simulator that runs for long would else only grow. */
  forget: (user: string) => void;
  /** Hears every later mark of every phone. Returns the way to stop. */
  on: (listener: Listener) => () => void;
  /** Hangs up everywhere. Phones and calls can still be read. */
  close: () => Promise<void>;
}

/** Where one push goes. */
export interface PushTo {
  /** @default the webhook URL of the account */
  url?: string;
}

interface Station {
  phones: Phones;
  webhook: { url: string | null };
  /** Aborted by `close`. */
  closing: AbortSignal;
  open: (api: Api, forget: (user: string) => void) => Promise<Premises>;
}

interface StationOptions {
  channel: Channel;
  /** How long an indicator shows, in ms. */
  lifetime: number;
  webhookUrl: string | null;
  now: () => number;
  /** @default no time */
  way?: Way;
}

export function createStation({ webhookUrl, way = () => 0, ...options }: StationOptions): Station {
  const phones = createPhones(options);
  const webhook = { url: webhookUrl };
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const open: Station['open'] = async (api, forget) => {
    const [calls, faults]: [ApiCall[], Faults] = [[], createFaults()];
    const server = await startApi({ api, phones, faults, calls, now: options.now, way });
    return {
      apiBase: server.url,
      calls,
      faults,
      connect: (url) => void (webhook.url = url),
      phone: phones.of,
      forget(user) {
        const kept = calls.filter((call) => call.user !== user && call.user !== null);
        calls.length = 0;
        for (const call of kept) calls.push(call);
        phones.forget(user);
        forget(user);
      },
      on: phones.on,
      async close() {
        closing.abort();
        phones.close();
        await server.close();
      },
    };
  };
  return { phones, webhook, closing: closing.signal, open };
}
