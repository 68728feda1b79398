import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createViewers, type Viewers } from '../../src/console/watch.ts';

let viewers: Viewers;
let server: Server;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  viewers = createViewers();
  vi.useRealTimers();
  server = createServer((_, response) => void viewers.join(response, null));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  viewers.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function look(): Promise<{ response: IncomingMessage; text: () => string }> {
  const { port } = server.address() as AddressInfo;
  const response = await new Promise<IncomingMessage>((resolve) => get({ port, host: '127.0.0.1' }, resolve));
  let text = '';
  response.on('error', () => {}); // The other side may hang up.
  response.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { response, text: () => text };
}

describe('viewers', () => {
  test('are told all once, then the changes', async () => {
    const first = await look();
    viewers.tell('change 1;', () => 'all 1;');
    const second = await look();
    expect(viewers.hasNew()).toBe(true);
    viewers.tell('change 2;', () => 'all 2;');
    viewers.tell('', () => 'nobody;');
    expect(viewers.hasNew()).toBe(false);
    await expect.poll(first.text).toBe('all 1;change 2;');
    await expect.poll(second.text).toBe('all 2;');
  });

  test('one who reads nothing is dropped before it fills the memory, and nobody else', async () => {
    const [slow, quick] = [await look(), await look()];
    viewers.tell('', () => '');
    slow.response.pause();
    const chunk = 'x'.repeat(256 * 1024);
    let sent = 0;
    while (viewers.count() === 2 && sent < 200) {
      viewers.tell(chunk, () => '');
      sent += 1;
      await expect.poll(() => quick.text().length).toBe(sent * chunk.length);
    }
    expect(viewers.count()).toBe(1);
    viewers.tell('still here', () => '');
    await expect.poll(() => quick.text().endsWith('still here')).toBe(true);
  });

  test('hear a heartbeat by its name while nothing else happens', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    viewers.close();
    viewers = createViewers();
    const one = await look();
    vi.advanceTimersByTime(15_000);
    vi.useRealTimers();
    await expect.poll(one.text).toBe('event: heartbeat\ndata: {}\n\n');
  });

  test('who hangs up is forgotten', async () => {
    const { response } = await look();
    expect(viewers.count()).toBe(1);
    response.destroy();
    await expect.poll(() => viewers.count()).toBe(0);
  });
});
