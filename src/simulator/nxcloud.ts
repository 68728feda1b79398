/** The simulated NXCloud: its API, its pushes and its users' WhatsApp phones. */
import type { Way } from './api-server.ts';
import type { Random } from './faults.ts';
import { createNxcloudApi } from './nxcloud-api.ts';
import { createId, type Sent } from './nxcloud-context.ts';
import {
  type Business,
  messageEnvelope,
  type NxcloudMessage,
  type NxcloudStatus,
  statusEnvelope,
} from './nxcloud-envelope.ts';
import { createMessages } from './nxcloud-messages.ts';
import { type NxcloudPushed, type NxcloudPushOptions, pushCallback } from './nxcloud-push.ts';
import { NXCLOUD_RULES, type NxcloudRules } from './nxcloud-rules.ts';
import { createStation, type Premises, type PushTo } from './station.ts';

export interface NxcloudOptions {
  accessKey: string;
  accessSecret: string;
  appKey: string;
  businessPhone: string;
  callbacks: 'none' | 'md5' | 'sha256';
  shape: 'current' | 'old';
  rules: Partial<NxcloudRules>;
  webhookUrl: string | null;
}

/** The account that is simulated unless told otherwise. */
export const NXCLOUD_DEFAULTS: Readonly<NxcloudOptions> = Object.freeze<NxcloudOptions>({
  accessKey: 'fme2na3kdi3ki',
  accessSecret: 'abciiiko2k3',
  appKey: 'simulated',
  businessPhone: '8615800001795',
  callbacks: 'none',
  shape: 'current',
  rules: {},
  webhookUrl: null,
});

export interface NxcloudSimulator extends Premises {
  readonly options: Readonly<NxcloudOptions>;
  /** Resolves when the push is accepted or given up. */
  push(message: NxcloudMessage & PushTo): Promise<NxcloudPushed & { id: string }>;
  /** A status on its own; those of `mt` follow by themselves. */
  pushStatus(status: NxcloudStatus): Promise<NxcloudPushed>;
  /** Any text as a callback, signed like the others. */
  pushBody(body: string): Promise<NxcloudPushed>;
}

export async function startNxcloud(
  overrides: Partial<NxcloudOptions>,
  { now, random, way }: { now: () => number; random: Random; way: Way },
): Promise<NxcloudSimulator> {
  const options = { ...NXCLOUD_DEFAULTS, ...overrides };
  const rules = { ...NXCLOUD_RULES, ...options.rules };
  const station = createStation({ ...options, channel: 'nxcloud', lifetime: rules.lifetime, now, way });
  const { phones, webhook, closing } = station;
  const messages = createMessages(rules, now);
  const pushes = { ...options, rules, now, webhook, closing };
  const announce = (sent: Sent): void => void pushStatuses(pushes, sent);
  const api = createNxcloudApi({ ...options, rules, phones, messages, now, random, announce });
  return {
    ...(await station.open(api, (user) => messages.forget(user))),
    options,
    async push(message) {
      const { user, type = 'text', id = createId(random), url } = message;
      if (messages.heard(user, id)) phones.of(user).mark('sent', message.text ?? `[${type}]`);
      const body = JSON.stringify(messageEnvelope(options, { ...message, id }, now()));
      const callback = { action: 'mo', body, ...(url === undefined ? {} : { url }) } as const;
      return { id, ...(await pushCallback(pushes, callback)) };
    },
    pushStatus: (status) => pushStatus(pushes, status),
    pushBody: (body) => pushCallback(pushes, { action: 'mo', body }),
  };
}

type Pushes = NxcloudPushOptions & Business;

function pushStatus(pushes: Pushes, status: NxcloudStatus, url?: string): Promise<NxcloudPushed> {
  const body = JSON.stringify(statusEnvelope(pushes, status, pushes.now()));
  return pushCallback(pushes, { action: 'dr', body, ...(url === undefined ? {} : { url }) });
}

/** One status after the other, to the call's own webhook or the app's; to none when there is neither. */
async function pushStatuses(pushes: Pushes, { id, user, webhook }: Sent): Promise<void> {
  const url = webhook ?? pushes.webhook.url;
  for (const status of url === null ? [] : pushes.rules.statuses) {
    await pushStatus(pushes, { user, id, status }, url ?? undefined);
  }
}
