import { expect, test } from 'vitest';
import { NXCLOUD_DEFAULTS, WECHAT_DEFAULTS } from '../../src/simulator/index.ts';
import { markIs as is, useStage } from '../e2e/stage.ts';
import { recipe, serve } from './recipe.ts';

const { open } = useStage();

const LISTEN = 'app.listen(8000);';

/** A model that takes longer than WeChat's connection is held. */
const MODEL = `const askTheModel = async (text) => {
  await new Promise((resolve) => setTimeout(resolve, 700));
  return \`an answer to \${text}\`;
};
`;

/** Resolves with the URL of the recipe's bot. */
async function startWechatBot(): Promise<string> {
  const code = await recipe('wechat, co-wechat');
  if (!code.includes(LISTEN)) throw new Error(`The recipe does not end in ${LISTEN}`);
  const anyPort = 'app.listen(0, function () { console.log(this.address().port); });';
  const platforms = { wechat: { options: WECHAT_DEFAULTS }, nxcloud: { options: NXCLOUD_DEFAULTS } };
  return `http://127.0.0.1:${await serve(MODEL + code.replace(LISTEN, anyPort), platforms)}/`;
}

test('wechat: an answer in the webhook needs no gateway, and arrives late too', async () => {
  const { simulator } = await open({ env: { WECHAT_BOT_URL: await startWechatBot() } });
  const pushed = await simulator.wechat.push({ user: 'OPENID', text: 'hi' });
  expect(pushed.answered?.toString()).toBe('success');
  const received = await simulator.wechat.phone('OPENID').next(is('received'));
  expect(received).toMatchObject({ detail: 'an answer to hi', via: 'api' });
});
