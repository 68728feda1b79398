/** The client in a process of its own. */
import { expect, test } from 'vitest';
import { runScript, type Ended } from './script.ts';
import { answers, isLost, startControl } from './server.ts';

/** Runs a script to its end, with `typing` a client of that address. */
function run(url: string, script: string): Promise<Ended> {
  return runScript(`
    import { createTyping } from 'keeptyping/client';
    const onError = (error) => console.log(error.message);
    const typing = createTyping({ url: '${url}', token: 'secret', timeoutMs: 500, onError });
    const message = { channel: 'wechat', user: 'u', messageId: 'm' };
    ${script}`);
}

test('a script ends by itself, after its last stop', async () => {
  const control = await startControl();
  const ended = await run(control.url, 'await typing.during(message, () => {}); console.log("answered");');
  expect(ended).toEqual({ code: 0, output: 'answered\n', errors: '' });
  expect(control.calls).toHaveLength(2);
  expect(control.open()).toEqual([]);
});

test('an idle connection keeps no process alive', async () => {
  const control = await startControl();
  const script = `
    const { subscribe } = await import('node:diagnostics_channel');
    subscribe('net.client.socket', ({ socket }) => {
      // Nothing is left to do, and the connection stands.
      process.once('beforeExit', () => console.log(socket.destroyed ? 'closed' : 'open'));
    });
    typing.start(message);`;
  expect(await run(control.url, script)).toEqual({ code: 0, output: 'open\n', errors: '' });
});

test('a script ends by itself when keeptyping hangs', async () => {
  const control = await startControl();
  control.always(isLost);
  const { code, output } = await run(control.url, 'await typing.during(message, () => {});');
  expect(code).toBe(0);
  expect(output).toContain('start failed: no answer within 500 ms (timeoutMs)\n');
});

test('close() before process.exit() lets the last stop out, with its repeats', async () => {
  const control = await startControl();
  const script = `
    await typing.during(message, () => {});
    await typing.close();
    process.exit(0);`;
  control.next((response, carryOut) => void response.end(JSON.stringify(carryOut().body)), answers(503));
  expect(await run(control.url, script)).toEqual({ code: 0, output: '', errors: '' });
  expect(control.calls).toHaveLength(3);
  expect(control.open()).toEqual([]);
});
