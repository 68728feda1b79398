import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/wire.ts';
import { createHolds, type HeldDeliveries, processOf } from '../../src/http/holds.ts';
import { createGate, utf8 } from './wire.ts';

const answer: Answer = { status: 200, headers: [], body: utf8('hi') };
const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const never = new AbortController().signal;

/** Deliveries that have an answer for those who claim, or none; and what they were asked. */
function deliveriesWith(over: Partial<HeldDeliveries> = {}): HeldDeliveries & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    claim: async (id, holder) => {
      asked.push(`claim ${id} ${holder}`);
      return over.claim ? over.claim(id, holder) : answer;
    },
    leave: async (id, holder) => {
      asked.push(`leave ${id} ${holder}`);
      return over.leave ? over.leave(id, holder) : null;
    },
  };
}

test('each hold has a name of its own, in which the process’s name stands', () => {
  const holds = createHolds('5f0c-1a', deliveriesWith());
  const [one, two] = [holds.name(), holds.name()];
  expect(one).not.toBe(two);
  expect([processOf(one), processOf(two)]).toEqual(['5f0c-1a', '5f0c-1a']);
});

describe('waiting', () => {
  test('ends with the answer that was offered and claimed', async () => {
    const deliveries = deliveriesWith();
    const holds = createHolds('web', deliveries);
    const waiting = holds.wait('push', 'web.1', { limitMs: 60_000, hangUp: never });
    holds.offered('web.1');
    expect(await waiting).toBe(answer);
    expect(deliveries.asked).toEqual(['claim push web.1']);
  });

  test('ends with an answer that was offered before the waiting began', async () => {
    const holds = createHolds('web', deliveriesWith());
    holds.offered('web.1');
    expect(await holds.wait('push', 'web.1', { limitMs: 60_000, hangUp: never })).toBe(answer);
  });

  test('takes no offer that was made to another', async () => {
    const deliveries = deliveriesWith();
    const holds = createHolds('web', deliveries);
    holds.offered('web.2');
    const waiting = holds.wait('push', 'web.1', { limitMs: 5, hangUp: never });
    holds.offered('web.3');
    expect(await waiting).toBe(null);
    expect(deliveries.asked).toEqual(['leave push web.1']);
  });

  test('ends without an answer when the offered one is somebody else’s by now', async () => {
    const deliveries = deliveriesWith({ claim: async () => null });
    const holds = createHolds('web', deliveries);
    const waiting = holds.wait('push', 'web.1', { limitMs: 60_000, hangUp: never });
    holds.offered('web.1');
    expect(await waiting).toBe(null);
    expect(deliveries.asked).toEqual(['claim push web.1', 'leave push web.1']);
  });

  test('ends at its limit, with an answer that came at the last moment', async () => {
    const holds = createHolds('web', deliveriesWith({ leave: async () => answer }));
    expect(await holds.wait('push', 'web.1', { limitMs: 5, hangUp: never })).toBe(answer);
  });

  test('goes on after its limit when it is to; an offer still ends it', async () => {
    const deliveries = deliveriesWith();
    const holds = createHolds('web', deliveries);
    const limit = createGate();
    const longer = async (): Promise<number> => {
      limit.open();
      return 60_000;
    };
    const waiting = holds.wait('push', 'web.1', { limitMs: 5, hangUp: never, longer });
    await limit.passed;
    await new Promise(setImmediate);
    expect(deliveries.asked).toEqual([]);
    holds.offered('web.1');
    expect(await waiting).toBe(answer);
  });

  test('ends when the longer time is over too', async () => {
    const deliveries = deliveriesWith();
    const holds = createHolds('web', deliveries);
    const how = { limitMs: 5, hangUp: never, longer: async () => 5 };
    expect(await holds.wait('push', 'web.1', how)).toBe(null);
    expect(deliveries.asked).toEqual(['leave push web.1']);
  });

  test('ends at its limit when nobody can say whether it is to go on', async () => {
    const holds = createHolds('web', deliveriesWith());
    expect(await holds.wait('push', 'web.1', { limitMs: 5, hangUp: never, longer: away })).toBe(null);
  });

  test('ends when the platform hangs up, or has done so', async () => {
    const deliveries = deliveriesWith();
    const holds = createHolds('web', deliveries);
    const abort = new AbortController();
    const waiting = holds.wait('push', 'web.1', { limitMs: 60_000, hangUp: abort.signal });
    abort.abort();
    expect(await waiting).toBe(null);
    expect(await holds.wait('push', 'web.2', { limitMs: 60_000, hangUp: abort.signal })).toBe(null);
    expect(deliveries.asked).toEqual(['leave push web.1', 'leave push web.2']);
  });

  test('rejects when Redis is out of reach', async () => {
    const holds = createHolds('web', deliveriesWith({ claim: away, leave: away }));
    const waiting = holds.wait('push', 'web.1', { limitMs: 60_000, hangUp: never });
    holds.offered('web.1');
    await expect(waiting).rejects.toThrow('Redis is away');
    await expect(holds.wait('push', 'web.2', { limitMs: 5, hangUp: never })).rejects.toThrow('away');
  });
});
