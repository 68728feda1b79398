import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/wire.ts';
import { createHolds, type Gift } from '../../src/http/holds.ts';
import { processOf } from '../../src/replies/delivery.ts';
import { deferred } from '../support/queue-fakes.ts';
import { createGate, utf8 } from './wire.ts';

const answer: Answer = { status: 200, headers: [], body: utf8('hi') };
const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const stays = (): void => {};
const long = { limitMs: 60_000, onClose: stays };
const short = { limitMs: 5, onClose: stays };

/** Holds of a process that claims that answer, and what was claimed. */
function holdsWith(claim: () => Promise<Answer | null> = async () => answer) {
  const claimed: string[] = [];
  const holds = createHolds({
    name: '5f0c-1a',
    deliveries: {
      claim: async (id, holder) => {
        claimed.push(`${id} ${holder}`);
        return claim();
      },
    },
  });
  return { holds, claimed };
}

/** The answer of whoever waited, who could write it or not. */
async function written(waiting: Promise<Gift | null>, was = true): Promise<Answer | null> {
  const gift = await waiting;
  gift?.written(was);
  return gift?.answer ?? null;
}

test('each hold has a name of its own, in which the process’s name stands', () => {
  const { holds } = holdsWith();
  const names = [holds.open('push').name, holds.open('push').name];
  expect(new Set(names).size).toBe(2);
  expect(names.map(processOf)).toEqual(['5f0c-1a', '5f0c-1a']);
});

describe('an answer of this process', () => {
  test('ends the waiting, and it is told whether it was written', async () => {
    for (const was of [true, false]) {
      const { holds } = holdsWith();
      const waiting = written(holds.open('push').wait(long), was);
      expect(holds.waits('push')).toBe(true);
      expect(await holds.give('push', answer)).toBe(was);
      expect(await waiting).toBe(answer);
      expect(holds.waits('push')).toBe(false);
    }
  });

  test('goes to one that still waits, where a newer one is over', async () => {
    const { holds } = holdsWith();
    const waiting = written(holds.open('push').wait(long));
    const gone = holds.open('push').wait({ ...long, onClose: (closed) => closed() });
    expect(await gone).toBeNull();
    expect(await holds.give('push', answer)).toBe(true);
    expect(await waiting).toBe(answer);
    expect(holds.waits('push')).toBe(false);
  });

  test('can be given from the moment that the hold is opened', async () => {
    const { holds } = holdsWith();
    const hold = holds.open('push');
    const given = holds.give('push', answer);
    expect(await written(hold.wait(long))).toBe(answer);
    expect(await given).toBe(true);
  });

  test('goes to the newest connection, and not to the one before when that is gone', async () => {
    const { holds } = holdsWith();
    const [first, second] = [holds.open('push'), holds.open('push')];
    const waits = [first.wait(short), written(second.wait(long))];
    expect(await holds.give('push', answer)).toBe(true);
    expect(await Promise.all(waits)).toEqual([null, answer]);
    expect(await holds.give('push', answer)).toBe(false);
  });

  test('is nobody’s where no connection waits for it', async () => {
    const { holds } = holdsWith();
    holds.open('other');
    const closed = holds.open('push');
    closed.close();
    expect(holds.waits('push')).toBe(false);
    expect(await holds.give('push', answer)).toBe(false);
  });

  test('is nobody’s in the very moment in which the hold is over', async () => {
    const { holds } = holdsWith();
    const connection = deferred();
    const waiting = holds
      .open('push')
      .wait({ limitMs: 60_000, onClose: (closed) => void connection.promise.then(closed) });
    connection.resolve();
    await connection.promise;
    const given = holds.give('push', answer);
    expect(await waiting).toBe(null);
    expect(await given).toBe(false);
  });

  test('that has been given is not closed away', async () => {
    const { holds } = holdsWith();
    const hold = holds.open('push');
    const waiting = written(hold.wait(long));
    const given = holds.give('push', answer);
    expect(hold.close()).toBe(false);
    expect(await waiting).toBe(answer);
    expect(await given).toBe(true);
    expect(holds.open('another').close()).toBe(true);
  });

  test('is nobody’s after the hold', async () => {
    const { holds } = holdsWith();
    expect(await holds.open('push').wait(short)).toBe(null);
    expect(await holds.give('push', answer)).toBe(false);
  });
});

describe('an answer of another process', () => {
  test('is claimed, and ends the waiting', async () => {
    const { holds, claimed } = holdsWith();
    const hold = holds.open('push');
    const waiting = hold.wait(long);
    holds.offered(hold.name);
    expect(await waiting).toMatchObject({ answer, isOffered: true });
    expect(claimed).toEqual([`push ${hold.name}`]);
  });

  test('can be offered before the waiting begins', async () => {
    const { holds } = holdsWith();
    const hold = holds.open('push');
    holds.offered(hold.name);
    await new Promise(setImmediate);
    expect(await hold.wait(long)).toMatchObject({ answer });
  });

  test('is not claimed where it is another’s, or nobody’s any more', async () => {
    const { holds, claimed } = holdsWith();
    const hold = holds.open('push');
    holds.offered('web.2');
    hold.close();
    holds.offered(hold.name);
    expect(claimed).toEqual([]);
  });

  test.each([
    ['somebody else’s by now', async () => null],
    ['in a Redis that is out of reach', away],
  ])('that is %s leaves the connection waiting', async (_, claim) => {
    const { holds } = holdsWith(claim);
    const hold = holds.open('push');
    const waiting = written(hold.wait(long));
    holds.offered(hold.name);
    await new Promise(setImmediate);
    expect(await holds.give('push', answer)).toBe(true);
    expect(await waiting).toBe(answer);
  });
});

describe('waiting', () => {
  test('goes on after its limit when it is to; an answer still ends it', async () => {
    const { holds } = holdsWith();
    const limit = createGate();
    const longer = async (): Promise<number> => {
      limit.open();
      return 60_000;
    };
    const waiting = written(holds.open('push').wait({ ...short, longer }));
    await limit.passed;
    await new Promise(setImmediate);
    expect(await holds.give('push', answer)).toBe(true);
    expect(await waiting).toBe(answer);
  });

  test.each([
    ['when the longer time is over too', async () => 5],
    ['at its limit when nobody can say whether it is to go on', away],
  ])('ends %s', async (_, longer) => {
    const { holds } = holdsWith();
    expect(await holds.open('push').wait({ ...short, longer })).toBe(null);
    expect(holds.waits('push')).toBe(false);
  });

  test('ends when the platform hangs up, or has done so', async () => {
    const { holds } = holdsWith();
    const gate = createGate();
    const later = holds.open('push').wait({ ...long, onClose: (gone) => void gate.passed.then(gone) });
    gate.open();
    expect(await later).toBe(null);
    expect(await holds.open('push').wait({ ...long, onClose: (gone) => gone() })).toBe(null);
    expect(holds.waits('push')).toBe(false);
  });
});
