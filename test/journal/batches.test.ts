import { EventEmitter, once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createBatches } from '../../src/journal/journal.ts';

describe('a flush', () => {
  test('ends when all so far is written, however much comes meanwhile', async () => {
    const written: number[] = [];
    let next = 1;
    const batches = createBatches<number>(async (all) => {
      // Under load there is always something new when a batch is written.
      if (next < 1_000) batches.add(next++);
      await Promise.resolve();
      written.push(...all);
    });
    batches.add(0);
    await batches.flush();
    expect(written[0]).toBe(0);
    expect(written.length).toBeLessThan(5);
  });

  test('takes with it what waits behind a batch that is being written', async () => {
    const written: number[] = [];
    const gate = new EventEmitter();
    const batches = createBatches<number>(async (all) => {
      if (written.length === 0) await once(gate, 'open');
      written.push(...all);
    });
    for (let n = 0; n < 100; n += 1) batches.add(n);
    batches.add(100);
    const flushed = batches.flush();
    gate.emit('open');
    await flushed;
    expect(written).toHaveLength(101);
  });
});
