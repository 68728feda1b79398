/** The recipes of docs/client.md, as they stand there. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runScript } from './script.ts';
import { startControl } from './server.ts';

const page = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8');

/** The code under a heading. */
function codeUnder(heading: string): string {
  const [, section = ''] = page.split(`# ${heading}\n`);
  const [, code] = /```js\n([^]*?)```/.exec(section) ?? [];
  if (code === undefined) throw new Error(`docs/client.md has no code under "${heading}".`);
  return code;
}

/** What the bot has today, and a push to it when it listens. */
function around(code: string, push: { path: string; type: string; body: string }): string {
  return `
    const askTheModel = async (question) => 'an answer to ' + question;
    const sendText = async (user, text) => console.log(user + ' has ' + text);
    const api = { sendText };
    ${code}
    const server = app.listen(0, async () => {
      const url = 'http://127.0.0.1:' + server.address().port + '${push.path}';
      const headers = { 'content-type': '${push.type}' };
      const answer = await fetch(url, { method: 'POST', headers, body: ${JSON.stringify(push.body)} });
      console.log('webhook: ' + (await answer.text()));
      server.close();
    });`;
}

test('An LLM bot on Express', async () => {
  const control = await startControl();
  const body =
    '<xml><FromUserName>openid</FromUserName><MsgType>text</MsgType><Content>this</Content><MsgId>24000000000000001</MsgId></xml>';
  const script = around(codeUnder('An LLM bot on Express'), { path: '/wechat', type: 'text/xml', body });
  const { code, output, errors } = await runScript(script, { KEEPTYPING_URL: control.url });
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(output.split('\n').sort()).toEqual(['', 'openid has an answer to this', 'webhook: success']);
  expect(control.calls).toEqual([
    'PUT /conversations/wechat/default/openid/typing {"messageId":"24000000000000001"}',
    'DELETE /conversations/wechat/default/openid/typing?turn=turn-of-24000000000000001',
  ]);
});

test('A WhatsApp bot', async () => {
  const control = await startControl();
  const opening = `
    import express from 'express';
    import { createTyping } from 'keeptyping/client';
    const typing = createTyping({ url: process.env.KEEPTYPING_URL });
    const app = express();`;
  const message = { from: '8613800000000', id: 'wamid.x=', type: 'text', text: { body: 'this' } };
  const push = {
    path: '/whatsapp',
    type: 'application/json',
    body: JSON.stringify({ messages: [message, { ...message, id: 'wamid.y=', type: 'reaction' }] }),
  };
  const script = around(`${opening}${codeUnder('A WhatsApp bot')}`, push);
  const { code, output, errors } = await runScript(script, { KEEPTYPING_URL: control.url });
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(output.split('\n').sort()).toEqual(['', '8613800000000 has an answer to this', 'webhook: {}']);
  expect(control.calls).toEqual([
    'PUT /conversations/nxcloud/default/8613800000000/typing {"messageId":"wamid.x="}',
    'DELETE /conversations/nxcloud/default/8613800000000/typing?turn=turn-of-wamid.x%3D',
  ]);
});
