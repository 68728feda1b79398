import { describe, expect, test } from 'vitest';
import type { Phone } from '../../src/simulator/index.ts';
import { simulator, SUCCESS, webhook } from '../simulator/helpers.ts';
import { openGateway } from './gateway.ts';
import { recipe, run, through } from './recipe.ts';

const TOKEN = 'GET /cgi-bin/token';
const SEND = 'POST /cgi-bin/message/custom/send';

/** Both platforms with a user each who has just written, and the gateway before them. */
async function conversation() {
  const running = await simulator();
  const hook = await webhook(() => Promise.resolve(SUCCESS));
  running.wechat.connect(hook.url);
  running.nxcloud.connect(hook.url);
  await running.wechat.push({ user: 'OPENID', text: 'hi' });
  await running.nxcloud.push({ user: '8613800000000', text: 'hi' });
  return { running, gateway: await openGateway(running) };
}

function received({ marks }: Phone): string[] {
  return marks.filter(({ what }) => what === 'received').map(({ detail, via }) => `${detail} by ${via}`);
}

describe('a bot whose base URL is the gateway', () => {
  test.each(['co-wechat-api', 'wechat-api'])('%s: its token and its message pass', async (name) => {
    const { running, gateway } = await conversation();
    await run(through(gateway.origin, await recipe(name)), running);
    expect(gateway.calls).toEqual([TOKEN, SEND]);
    expect(running.wechat.calls.map(({ path }) => path)).toEqual([
      '/cgi-bin/token',
      '/cgi-bin/message/custom/send',
    ]);
    expect(received(running.wechat.phone('OPENID'))).toEqual(['hello by api']);
    expect(gateway.told).toMatchObject([
      { is: 'sending', user: 'OPENID' },
      { is: 'over', verdict: { is: 'accepted' } },
    ]);
  });

  test('co-wechat-api: what it does again with a new token passes too', async () => {
    const { running, gateway } = await conversation();
    running.wechat.faults.set('/cgi-bin/message/custom/send', { code: 40001 }, 1);
    await run(through(gateway.origin, await recipe('co-wechat-api')), running);
    expect(gateway.calls).toEqual([TOKEN, SEND, TOKEN, SEND]);
    expect(received(running.wechat.phone('OPENID'))).toEqual(['hello by api']);
  });

  test('a client of NXCloud: its signature stays valid', async () => {
    const { running, gateway } = await conversation();
    await run(through(gateway.origin, await recipe('NXCloud, a client of your own')), running);
    expect(gateway.calls).toEqual(['POST /api/wa/mt']);
    expect(running.nxcloud.calls.map(({ path }) => path)).toEqual(['/api/wa/mt']);
    expect(received(running.nxcloud.phone('8613800000000'))).toEqual(['hello by api']);
  });

  test('a client of NXCloud says so when its message is refused', async () => {
    const { running, gateway } = await conversation();
    running.nxcloud.faults.set('/api/wa/mt', { metaCode: 131047 });
    const code = through(gateway.origin, await recipe('NXCloud, a client of your own'));
    await expect(run(code, running)).rejects.toThrow('NXCloud refused the message: 9099');
  });
});
