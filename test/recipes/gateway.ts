/** The gateway as the recipes need it, in front of the simulated platforms. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { onTestFinished } from 'vitest';
import { createWatch } from '../gateway/scene.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { createAgents } from '../../src/http/agents.ts';
import { createNxcloud } from '../../src/nxcloud/index.ts';
import type { Simulator } from '../../src/simulator/index.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { nxcloudAccount, wechatAccount } from '../support/accounts.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { adapterDeps, scriptedSend } from '../support/wechat.ts';

export interface Gateway {
  /** What stands for `http://127.0.0.1:3000` of the recipes. */
  origin: string;
  /** Every call that came, in order: its method and its path without the gateway's part and the query. */
  calls: readonly string[];
  /** What the gateway understood of them. */
  told: ReturnType<typeof createWatch>['told'];
}

/** Serves `/gateway/KEY/wechat/default` and `/gateway/KEY/nxcloud/default` until the test ends. */
export async function openGateway({ wechat, nxcloud }: Simulator): Promise<Gateway> {
  const calls: string[] = [];
  const agents = createAgents({ maxSockets: 10, idleMs: 1_000 });
  const { watch, told } = createWatch();
  const log = recordLog();
  const onWechat = createWechat({ ...wechatAccount, name: 'default' }, adapterDeps(scriptedSend()));
  const account = { ...nxcloudAccount, name: 'default' };
  const onNxcloud = createNxcloud(account, { typing: scriptedSend(), clock: handClock(), log });
  const gateway = createGateway({
    access: { by: 'key', keys: ['KEY'] },
    accountOf: ({ channel }) =>
      channel === 'wechat'
        ? { base: wechat.apiBase, platform: onWechat }
        : { base: nxcloud.apiBase, platform: onNxcloud },
    agentFor: agents.agentFor,
    watch,
    clock: Date,
    log,
  });
  const server = createServer((request, response) => {
    const [, path = ''] = /^\/gateway\/KEY\/\w+\/default([^?]*)/.exec(request.url ?? '') ?? [];
    calls.push(`${request.method} ${path}`);
    gateway(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
    agents.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The gateway has no port.');
  return { origin: `http://127.0.0.1:${address.port}`, calls, told };
}
