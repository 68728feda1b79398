import { describe, expect, test } from 'vitest';
import { coverOf, litIntervals, litWithin, type Mark, type What } from '../../src/simulator/phone.ts';
import { createPhone } from '../../src/simulator/phones.ts';
import { handClock } from '../support/clock.ts';

const mark = (at: number, what: What): Mark => ({ channel: 'wechat', user: 'u', at, what, detail: '' });

describe('the timeline', () => {
  test('an indicator runs for its lifetime when nothing ends it', () => {
    expect(litIntervals([mark(100, 'typing-on')], 15)).toEqual([{ from: 100, to: 115 }]);
  });

  test('typing-off ends it, and means nothing when nothing runs', () => {
    const marks = [
      mark(0, 'typing-off'),
      mark(100, 'typing-on'),
      mark(104, 'typing-off'),
      mark(200, 'typing-off'),
    ];
    expect(litIntervals(marks, 15)).toEqual([{ from: 100, to: 104 }]);
  });

  test('an expiry that was marked late does not lengthen it', () => {
    expect(litIntervals([mark(100, 'typing-on'), mark(160, 'typing-off')], 15)).toEqual([
      { from: 100, to: 115 },
    ]);
  });

  test('a second typing-on while lit lengthens, one after the end starts anew', () => {
    const marks = [mark(0, 'typing-on'), mark(10, 'typing-on'), mark(25, 'typing-on')];
    expect(litIntervals(marks, 15)).toEqual([
      { from: 0, to: 25 },
      { from: 25, to: 40 },
    ]);
  });

  test('cover is the lit share of a span', () => {
    const intervals = [
      { from: 0, to: 15 },
      { from: 20, to: 35 },
    ];
    expect(coverOf(intervals, { from: 0, to: 20 })).toBe(0.75);
    expect(coverOf(intervals, { from: 10, to: 30 })).toBe(0.75);
    expect(coverOf(intervals, { from: 15, to: 20 })).toBe(0);
    expect(coverOf(intervals, { from: 5, to: 5 })).toBe(1);
    expect(litWithin(intervals, { from: 30, to: Infinity })).toBe(5);
  });
});

const phoneAt = (clock: { now: () => number }) => {
  const heard: Mark[] = [];
  const emit = (mark: Mark) => void heard.push(mark);
  const phone = createPhone({ channel: 'wechat', user: 'u', lifetime: 15_000, now: clock.now, emit });
  return { heard, phone };
};

describe('a live phone', () => {
  test('marks an expiry at the moment the rules give, however late anybody looks', () => {
    const clock = handClock(0);
    const { phone } = phoneAt(clock);
    phone.light('Typing');
    clock.pass(40_000);
    expect(phone.marks.at(-1)).toMatchObject({ at: 15_000, what: 'typing-off', detail: 'expired' });
    expect([phone.litAt(14_999), phone.litAt(15_000)]).toEqual([true, false]);
    phone.close();
  });

  test('marks the expiry by itself when nobody looks', async () => {
    const emitted: Mark[] = [];
    const phone = createPhone({
      channel: 'wechat',
      user: 'u',
      lifetime: 20,
      now: Date.now,
      emit: (mark) => void emitted.push(mark),
    });
    phone.light('Typing');
    const off = await phone.next(({ what }) => what === 'typing-off');
    expect(off.detail).toBe('expired');
    expect(emitted).toContain(off);
    expect(phone.intervals().map(({ from, to }) => to - from)).toEqual([20]);
  });

  test('a message takes the indicator away, and what is lit after it is a ghost', () => {
    const clock = handClock(0);
    const { phone } = phoneAt(clock);
    phone.light('Typing');
    clock.pass(4_000);
    phone.receive('hello', 'api');
    expect(phone.ghost(4_000)).toBe(0);
    clock.pass(1_000);
    phone.light('Typing');
    expect(phone.ghost(4_000)).toBe(15_000);
    expect(phone.cover(0, 5_000)).toBe(0.8);
    phone.close();
  });

  test('next finds what has happened and waits for what has not', async () => {
    const { phone, heard } = phoneAt(handClock(0));
    phone.mark('sent', 'one');
    const future = phone.next(({ detail }) => detail === 'two');
    phone.mark('sent', 'two');
    expect((await phone.next(({ what }) => what === 'sent')).detail).toBe('one');
    expect((await future).detail).toBe('two');
    expect(heard.map(({ detail }) => detail)).toEqual(['one', 'two']);
  });
});
