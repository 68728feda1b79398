import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Platform } from '../../src/core/platform.ts';
import { playAll, playOne } from './run.ts';
import { fuzzGateway, fuzzNxcloud, fuzzWechat, type Target, targets, wechatReceivers } from './targets.ts';

const file = readFileSync(new URL('./seeds.json', import.meta.url), 'utf8');
const seeds = z.record(z.string(), z.array(z.number())).parse(JSON.parse(file));

test.each(Object.entries(seeds))('what broke %s once breaks it no more', async (name, numbers) => {
  for (const seed of numbers) expect(await playAll(seed, 1, [name])).toEqual([]);
});

test.each(Object.keys(targets))('%s holds, whatever comes in', async (name) => {
  expect(await playAll(1, 300, [name])).toEqual([]);
});

/** What the fuzzer says of so many inputs. */
async function saidOf(target: Target): Promise<string> {
  const broken = [];
  for (let seed = 1; seed <= 300; seed += 1) broken.push(await playOne('planted', target, seed));
  return broken.map((found) => found?.what).join();
}

const taking: Pick<Platform, 'receive'> = {
  receive: async () => ({ is: 'push', key: 'key', happenings: [] }),
};

describe('a planted bug is found', () => {
  test('whoever writes is believed', async () => {
    const said = await saidOf(fuzzWechat({ ...wechatReceivers(), sealed: taking }));
    expect(said).toContain('sealed: a forged push is taken');
    expect(await saidOf(fuzzNxcloud(taking))).toContain('a forged push is taken');
  });

  test('a message id is kept whole', async () => {
    const { plain, ...others } = wechatReceivers();
    const whole: Pick<Platform, 'receive'> = {
      async receive(push) {
        const received = await plain.receive(push);
        if (received.is !== 'push') return received;
        const happenings = received.happenings.map((each) =>
          each.is === 'inbound' ? { ...each, messageId: '7'.repeat(900_000) } : each,
        );
        return { ...received, happenings };
      },
    };
    expect(await saidOf(fuzzWechat({ ...others, plain: whole }))).toContain('a message id above the bound');
  });

  test('a body is changed on its way', async () => {
    const receivers = wechatReceivers();
    const plain: Pick<Platform, 'receive'> = {
      receive: (push) => receivers.plain.receive(Object.assign(push, { body: push.body.subarray(1) })),
    };
    expect(await saidOf(fuzzWechat({ ...receivers, plain }))).toContain('the bytes of the push were changed');
  });

  test('something is thrown', async () => {
    const events: Pick<Platform, 'receive'> = { receive: () => Promise.reject(new Error('oh')) };
    expect(await saidOf(fuzzWechat({ ...wechatReceivers(), events }))).toContain('thrown: Error: oh');
  });

  test('paths lead anywhere, and any key opens', async () => {
    const open = fuzzGateway(({ baseOf }, { url = '' }) => {
      const [, path = '', query = ''] = /^\/gateway\/[^/?]*\/[^/?]+\/[^/?]+([^?]*)(.*)$/s.exec(url) ?? [];
      const base = baseOf({ channel: 'wechat', account: 'default' });
      return base === null ? { is: 'refusal', status: 404, error: '' } : { is: 'route', base, path, query };
    });
    const said = await saidOf(open);
    expect(said).toContain('a path escapes the base');
    expect(said).toContain('a wrong key leads somewhere');
  });
});
