/** A gateway between real connections, and a watch that keeps what it was told. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { type Connection, listen, startRaw } from '../http/wire.ts';
import type { Platform, Verdict } from '../../src/core/platform.ts';
import { createGateway, type Gateway } from '../../src/gateway/gateway.ts';
import type { GatewayAccess } from '../../src/gateway/route.ts';
import type { GatewayWatch, Sending } from '../../src/gateway/watch.ts';
import { type AgentsOptions, createAgents } from '../../src/http/agents.ts';
import { isFromHere } from '../../src/http/guard.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { recordLog } from '../support/log.ts';
import { createScene as createNxcloudScene } from '../support/nxcloud.ts';
import { adapterDeps, scriptedSend } from '../support/wechat.ts';

export type Told =
  | { is: 'sending'; account: string; user: string }
  | { is: 'over'; user: string; verdict: Verdict }
  | { is: 'aside'; user: string; verdict: Verdict }
  | { is: 'typed'; user: string; on: boolean; verdict: Verdict };

/** Keeps what it is told; `hold` is waited for before a message may leave. */
export function createWatch(hold: (user: string) => Promise<void> = () => Promise.resolve()) {
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  const tell = (one: Told): void => {
    told.push(one);
    for (const look of waiting) look();
  };
  const watch: GatewayWatch = {
    sending: async ({ account }: Platform, user): Promise<Sending> => {
      tell({ is: 'sending', account, user });
      await hold(user);
      return { waitedForShow: false, over: (verdict) => tell({ is: 'over', user, verdict }) };
    },
    aside: (_, user, verdict) => tell({ is: 'aside', user, verdict }),
    typed: (_, user, { on, verdict }) => tell({ is: 'typed', user, on, verdict }),
  };
  /** Resolves when so much has been told. */
  const count = (wanted: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (told.length < wanted) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const verdicts = (): Verdict[] => told.flatMap((one) => (one.is === 'over' ? [one.verdict] : []));
  return { watch, told, count, verdicts };
}

export interface GatewayScene {
  /** The URL of WeChat's API; NXCloud's is the same. */
  api: string;
  access?: GatewayAccess;
  watch?: GatewayWatch;
  idleMs?: number;
  guessed?: (caller: IncomingMessage) => Promise<void>;
  agents?: Partial<AgentsOptions>;
  mount?: (gateway: Gateway) => (request: IncomingMessage, response: ServerResponse) => void;
}

/** A gateway on a port of its own. `base` is what a bot would be given as WeChat's API base. */
export async function openGateway(scene: GatewayScene) {
  const {
    api,
    access = { by: 'place', admits: isFromHere },
    watch = createWatch().watch,
    mount = (gateway) => gateway,
  } = scene;
  const log = recordLog();
  const agents = createAgents({ maxSockets: 100, idleMs: 5_000, ...scene.agents });
  const wechat = createWechat(account, adapterDeps(scriptedSend()));
  const accounts = [
    { base: api, platform: wechat },
    { base: api, platform: createNxcloudScene().platform },
  ];
  const gateway = createGateway({
    access,
    accountOf: ({ channel, account }) =>
      accounts.find(({ platform }) => platform.channel === channel && platform.account === account) ?? null,
    agentFor: agents.agentFor,
    watch,
    clock: Date,
    log,
    ...(scene.guessed === undefined ? {} : { guessed: scene.guessed }),
    ...(scene.idleMs === undefined ? {} : { idleMs: scene.idleMs }),
  });
  const url = await listen(createServer(mount(gateway)));
  onTestFinished(() => agents.close());
  return { url, host: new URL(url).host, base: `${url}/gateway/wechat/default`, log };
}

/** An API that answers each request with these bytes, a gateway before it, and what reached the API. */
export async function openRaw(
  answer: string | Buffer | ((connection: Connection, bytes: string, count: number) => void),
  scene: Omit<GatewayScene, 'api'> & { basePath?: string } = {},
) {
  const asked: string[] = [];
  const api = await startRaw((connection, bytes, count) => {
    asked.push(bytes);
    if (typeof answer === 'function') answer(connection, bytes, count);
    else connection.socket.write(answer);
  });
  const gateway = await openGateway({ ...scene, api: `${api.url}${scene.basePath ?? ''}` });
  return { ...gateway, asked, api, apiHost: new URL(api.url).host };
}

/** Writes bytes to a connection, and everything that came back when `until` is content with it, or it was closed. */
export function speak(
  url: string,
  bytes: string | Buffer,
  until: (sofar: string) => boolean = () => false,
): Promise<{ text: string; closed: boolean }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!until(text)) return;
      resolve({ text, closed: false });
      socket.destroy();
    });
    socket.once('close', () => resolve({ text, closed: true }));
  });
}

/** A request as a bot's library may write it, and closes after. */
export function ask(host: string, line: string, headers: readonly string[] = [], body = ''): string {
  return [`${line} HTTP/1.1`, `Host: ${host}`, ...headers, 'Connection: close', '', body].join('\r\n');
}
