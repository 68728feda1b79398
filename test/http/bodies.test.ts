/** What strangers can make a web hold: real sockets that say much and send little. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createComponentEvents } from '../../src/wechat/component/events.ts';
import { createBodies } from '../../src/http/respond.ts';
import { vendor } from '../support/accounts.ts';
import { envelope, textMessage } from '../support/nxcloud.ts';
import { nxcloud, openScene, pushNxcloud, type Scene, signedPath } from './scene.ts';
import { createGate } from './wire.ts';

const kB = 1024;

/** A connection that has sent the head of a push and the beginning of its body. */
interface Sender {
  socket: Socket;
  /** Resolves with the status when it comes. */
  status: Promise<number>;
  /** The answer as far as it has come. */
  heard(): string;
  closed: Promise<void>;
}

function begin({ url }: Scene, path: string, { length, sent = 0, headers = '' }: Beginning): Sender {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let heard = '';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  const status = new Promise<number>((resolve) => {
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      const [, code] = /^HTTP\/1\.1 (\d+) /.exec(heard) ?? [];
      if (code !== undefined) resolve(Number(code));
    });
  });
  const said = length === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`;
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}${said}\r\n\r\n${' '.repeat(sent)}`);
  return { socket, status, heard: () => heard, closed };
}

interface Beginning {
  /** null: it comes in chunks. */
  length: number | null;
  sent?: number;
  headers?: string;
}

/** No body is received: whoever comes so far is told apart by it. */
function untouched() {
  let received = 0;
  const bodies = createBodies();
  return {
    received: () => received,
    bodies: {
      ...bodies,
      receive: (...how: Parameters<typeof bodies.receive>) => {
        received += 1;
        bodies.receive(...how);
      },
    },
  };
}

describe('a push that is not signed', () => {
  test('is refused before its body is read: 300 connections hold nothing, and are gone', async () => {
    const { bodies, received } = untouched();
    const scene = await openScene({ bodies });
    const path = signedPath('', 'OTHER');
    const senders = Array.from({ length: 300 }, () =>
      begin(scene, path, { length: 1_000 * kB, sent: 16 * kB }),
    );
    expect(new Set(await Promise.all(senders.map(({ status }) => status)))).toEqual(new Set([401]));
    expect(received()).toBe(0);
    await Promise.all(senders.map(({ closed }) => closed));
    expect(scene.journal.of('take')).toEqual([]);
  });

  test.each(['/webhooks/nxcloud/nobody', '/webhooks/wechat?timestamp=1&nonce=2&msg_signature=3'])(
    'nor meant for anybody here, is refused before its body is read (%s)',
    async (path) => {
      const { bodies, received } = untouched();
      const scene = await openScene({ bodies });
      const { status } = begin(scene, path, { length: 10 });
      expect([401, 404]).toContain(await status);
      expect(received()).toBe(0);
    },
  );

  test('of a third-party platform is refused by its query: its body is not read', async () => {
    const { bodies, received } = untouched();
    const deps = { now: () => 0, hear: async () => {} };
    const platform = createComponentEvents(vendor, deps);
    const scene = await openScene({ bodies, accounts: [{ platform, apiBase: '', bot: null }] });
    const path = '/webhooks/wechat/vendor.events';
    const forged = '?timestamp=1&nonce=2&encrypt_type=aes&msg_signature=3';
    const { status } = begin(scene, `${path}${forged}`, { length: 1_000 * kB });
    expect(await status).toBe(401);
    expect(received()).toBe(0);
    const signed = signedPath('vendor.events', vendor.tokens[0]);
    const allowed = begin(scene, signed, { length: 2, sent: 2 });
    expect(await allowed.status).toBe(400);
    expect(received()).toBe(1);
  });

  test('is refused by its headers where NXCloud has to sign', async () => {
    const { bodies, received } = untouched();
    const accounts = [nxcloud({ account: { verifyCallbacks: 'require' } })];
    const scene = await openScene({ bodies, accounts });
    const { status } = begin(scene, '/webhooks/nxcloud', { length: 1_000 * kB });
    expect(await status).toBe(401);
    expect(received()).toBe(0);
  });
});

describe('a slow body', () => {
  test('is cut when its time is over, however it dribbles: 408', async () => {
    const scene = await openScene({ bodies: createBodies({ withinMs: 50 }) });
    const dribble = async ({ pieces, isChunked }: { pieces: number[]; isChunked: boolean }) => {
      const length = isChunked ? null : 100 * kB;
      const sender = begin(scene, '/webhooks/nxcloud', { length });
      for (const piece of pieces) {
        const text = 'x'.repeat(piece);
        sender.socket.write(isChunked ? `${piece.toString(16)}\r\n${text}\r\n` : text);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await sender.status).toBe(408);
      expect(sender.heard()).toMatch(/connection: close/i);
      await sender.closed;
    };
    const sizes = fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 20 });
    const dribbling = fc.record({ pieces: sizes, isChunked: fc.boolean() });
    await fc.assert(fc.asyncProperty(dribbling, dribble), { numRuns: 10 });
    expect(scene.journal.of('take')).toEqual([]);
    expect(scene.log.lines).toEqual([]);
  });

  test('that is whole in time is taken', async () => {
    const working = createGate();
    const scene = await openScene({
      send: async () => {
        await working.passed;
        return { status: 200, headers: [], body: Buffer.from('') };
      },
    });
    const body = JSON.stringify(envelope({ messages: [textMessage()] }));
    const { socket, status } = begin(scene, '/webhooks/nxcloud', { length: body.length });
    socket.write(body.slice(0, 10));
    await scene.roundTrip();
    socket.write(body.slice(10));
    expect(await status).toBe(200);
    working.open();
  });
});

const bounded = () => createBodies({ together: 400 * kB });

describe('the bodies that a process holds', () => {
  test('are bounded: what comes beyond is sent again, and a usual push has room beside long ones', async () => {
    const scene = await openScene({ bodies: bounded(), send: () => new Promise(() => {}) });
    const first = begin(scene, '/webhooks/nxcloud', { length: 300 * kB, sent: 150 * kB });
    await expect.poll(() => first.socket.bytesWritten).toBeGreaterThan(150 * kB);
    await scene.roundTrip();
    const second = begin(scene, '/webhooks/nxcloud', { length: 300 * kB, sent: 150 * kB });
    // Whichever of the two was heard first.
    const refused = await Promise.race([first, second].map(async (each) => (await each.status, each)));
    expect(refused.heard()).toMatch(/^HTTP\/1\.1 503 /);
    expect(refused.heard()).toMatch(/retry-after: \d+/i);
    expect((await pushNxcloud(scene).answer).status).toBe(200);
    [first, second].forEach(({ socket }) => socket.destroy());
    await Promise.all([first.closed, second.closed]);
    const again = begin(scene, '/webhooks/nxcloud', { length: 150 * kB, sent: 150 * kB });
    expect(await again.status).toBe(400);
  });

  test('count for as long as the bot is at work', async () => {
    const working = createGate();
    const scene = await openScene({
      bodies: bounded(),
      storedPushLimit: 200 * kB,
      send: async () => {
        await working.passed;
        return { status: 200, headers: [], body: Buffer.from('') };
      },
    });
    const push = (id: string) => {
      const body = JSON.stringify({
        ...envelope({ messages: [textMessage({ id })] }),
        long: 'x'.repeat(150 * kB),
      });
      return scene.call('/webhooks/nxcloud', { body }).answer;
    };
    expect((await push('a')).status).toBe(200);
    expect((await push('b')).status).toBe(503);
    working.open();
    await scene.journal.when('settle');
    await expect.poll(async () => (await push('c')).status).toBe(200);
  });

  test('are no longer than they may be: one that says so is refused before it comes, one in chunks when it is', async () => {
    const scene = await openScene({ bodies: createBodies({ longest: 100 * kB }) });
    const said = begin(scene, '/webhooks/nxcloud', { length: 101 * kB });
    expect(await said.status).toBe(413);
    const chunked = begin(scene, '/webhooks/nxcloud', { length: null });
    chunked.socket.write(`${(101 * kB).toString(16)}\r\n${'x'.repeat(101 * kB)}\r\n`);
    expect(await chunked.status).toBe(413);
    await once(chunked.socket, 'close');
  });
});
