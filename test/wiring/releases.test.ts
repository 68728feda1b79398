import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { closeServer, listen, portOf } from '../../src/wiring/releases.ts';

test('a server has so many connections at a time: further ones are closed at once, later ones are not', async () => {
  const where = { port: 0, host: '127.0.0.1', maxConnections: 2 };
  const server = await listen((_, response) => response.end('here'), where);
  onTestFinished(() => closeServer(server, 1_000));
  const open = () => {
    const socket = connect(portOf(server), '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const ask = async (socket: ReturnType<typeof open>): Promise<string> => {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [heard] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as unknown[];
    return String(heard);
  };
  const [first, second] = [open(), open()];
  expect(await ask(first)).toContain('here');
  expect(await ask(second)).toContain('here');
  expect(await ask(open())).not.toContain('here');
  first.destroy();
  await expect.poll(() => ask(open())).toContain('here');
});

test('a server waits for the head of a request for 20 s, and not as long as Node would', async () => {
  const server = await listen((_, response) => response.end('here'), { port: 0, host: '127.0.0.1' });
  onTestFinished(() => closeServer(server, 1_000));
  expect(server.headersTimeout).toBe(20_000);
});
