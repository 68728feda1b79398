import { expect, test } from 'vitest';
import { nextSteps } from '../../src/wiring/next-steps.ts';

const config = { host: '0.0.0.0', controlTokens: ['a-token-that-is-set'] };
const here = { config, port: 3000, components: [], invitation: null };
const account = (name: string) => ({ platform: { channel: 'wechat', account: name }, bot: null }) as const;

test('who has started it is told the webhook URL, the bot without its secrets, the mode, the console and the doctor', () => {
  const bot = { url: 'https://user:pass@word@bot.example.com/wechat?key=secret#x', mode: 'job' } as const;
  const accounts = [{ ...account('default'), bot }, account('shop')];
  expect(nextSteps({ ...here, accounts })).toEqual([
    'wechat/default: webhook URL https://<your host>/webhooks/wechat, bot https://bot.example.com/wechat, mode job',
    'wechat/shop: webhook URL https://<your host>/webhooks/wechat/shop, no bot URL, only typing is shown',
    'The console: http://127.0.0.1:3000/console, with CONTROL_TOKEN',
    'Whether all of this works, and how to mend what does not: npm run doctor',
  ]);
});

test('a link where the token is not known, and that there is none where there is no token', () => {
  const invited = nextSteps({ ...here, accounts: [account('default')], invitation: 'once' });
  expect(invited[1]).toMatch(/ http:\/\/127\.0\.0\.1:3000\/console#login=once$/);
  const off = nextSteps({ ...here, config: { ...config, controlTokens: [] }, accounts: [] });
  expect(off[0]).toBe('The console is off: set CONTROL_TOKEN to have it.');
});

test('five lines, however many accounts there are', () => {
  const many = Array.from({ length: 300 }, (_, index) => account(`a${index}`));
  for (const accounts of [many.slice(0, 3), many]) {
    const lines = nextSteps({ ...here, accounts, components: [] });
    expect(lines).toHaveLength(5);
  }
  const lines = nextSteps({ ...here, accounts: many, components: ['agency'] });
  expect(lines[2]).toBe('299 more accounts: the console lists them, the doctor checks them.');
  expect(nextSteps({ ...here, accounts: [], components: ['agency'] })[0]).toContain(
    '/webhooks/wechat/component/agency/$APPID$/callback',
  );
});
