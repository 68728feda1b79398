import { describe, expect, test } from 'vitest';
import { judge, type Rules, type Seen } from '../../bench/peers-judge.ts';
import { bestOf } from '../../bench/cover.ts';
import type { ApiCall, Mark, What } from '../../src/simulator/index.ts';
import { litIntervals } from '../../src/simulator/phone.ts';

const rules: Rules = { lifetime: 15_000, window: 30_000, shortest: 100, canHide: true };
const way = (): number => 100;

type Line = [at: number, what: What, detail: string];

function seen(lines: readonly Line[], others: Partial<Seen> = {}): Seen {
  const marks = lines.map(([at, what, detail]): Mark => ({ channel: 'wechat', user: 'o', at, what, detail }));
  const texts = marks.filter(({ what }) => what === 'sent').map(({ detail }) => detail);
  const intervals = litIntervals(marks, rules.lifetime);
  return { texts, marks, intervals, calls: [], failures: new Map(), ...others };
}

function best(asked: number[], ended: number[]): number {
  const story = { asked, ended: ended.map((at) => ({ at, known: at, isMessage: true })) };
  return bestOf(story, { ...rules, shortest: 50, way });
}

describe('the best', () => {
  test('begins after half of the way, and renews when the shortest way cannot be too early', () => {
    // 50 to 15,050; the renewal leaves at 15,050 and arrives at 15,100.
    expect(best([0], [20_000])).toBe(20_000 - 50 - 50);
  });

  test('ends with the window, which only a message opens again', () => {
    expect(best([0], [60_000])).toBe(30_000);
    expect(best([0, 40_000], [60_000, 60_000])).toBe(30_000 + (60_000 - 40_050 - 50));
  });

  test('shows again for whoever still waits, in whatever order the answers are told', () => {
    expect(best([0, 1_000], [9_000, 5_000])).toBe(9_000 - 50 - 50);
  });
});

describe('judging', () => {
  test('what was lit of the wait', () => {
    const figures = judge(
      seen([
        [0, 'sent', 'a'],
        [1_000, 'typing-on', ''],
        [4_000, 'typing-off', 'message'],
        [4_000, 'received', 'answer to a'],
      ]),
      rules,
      way,
    );
    expect(figures).toMatchObject({ waited: 4_000, lit: 3_000, most: 3_950, ghosts: 0, lost: 0, doubled: 0 });
  });

  test('a show after the answer is a ghost, until time or the next message', () => {
    const after: Line[] = [
      [0, 'sent', 'a'],
      [2_000, 'received', 'answer to a'],
      [2_100, 'typing-on', ''],
    ];
    expect(judge(seen(after), rules, way)).toMatchObject({ ghosts: 1, ghostMs: 15_000 });
    const next: Line[] = [...after, [5_100, 'sent', 'b'], [6_000, 'received', 'answer to b']];
    expect(judge(seen(next), rules, way)).toMatchObject({ ghosts: 1, ghostMs: 3_000 });
  });

  test('what a failed bot leaves on is a ghost where it could be taken away', () => {
    const left = seen(
      [
        [0, 'sent', 'a'],
        [100, 'typing-on', ''],
      ],
      { failures: new Map([['a', 5_000]]) },
    );
    expect(judge(left, rules, way)).toMatchObject({ ghosts: 1, ghostMs: 10_100, lost: 0, waited: 5_000 });
    expect(judge(left, { ...rules, canHide: false }, way).ghosts).toBe(0);
  });

  test('who is never answered waits on: counted as lost, not as covered, and sees no ghost', () => {
    const lost = judge(
      seen([
        [0, 'sent', 'a'],
        [100, 'typing-on', ''],
      ]),
      rules,
      way,
    );
    expect(lost).toMatchObject({ messages: 1, lost: 1, waited: 0, most: 0, ghosts: 0 });
  });

  test('a second answer, and one of a bot that failed, is one too many', () => {
    const lines: Line[] = [
      [0, 'sent', 'a'],
      [1_000, 'received', 'answer to a'],
      [2_000, 'received', 'answer to a'],
    ];
    expect(judge(seen(lines), rules, way).doubled).toBe(1);
    expect(judge(seen(lines, { failures: new Map([['a', 500]]) }), rules, way).doubled).toBe(1);
  });

  test('counts the typing calls alone, and which were refused or wasted', () => {
    const call = {
      at: 0,
      user: 'o',
      command: null,
      messageId: null,
      text: null,
      fault: null,
      wayMs: 0,
      endedAt: 0,
    };
    const calls: ApiCall[] = [
      { ...call, path: '/cgi-bin/message/custom/typing', code: 0 },
      { ...call, path: '/cgi-bin/message/custom/typing', code: 45_081 },
      { ...call, path: '/api/wa/typingIndicator', code: null },
      { ...call, path: '/cgi-bin/message/custom/send', code: 45_015 },
    ];
    const figures = judge(
      seen([[0, 'wasted', 'the indicator still runs']], { texts: [], calls }),
      rules,
      way,
    );
    expect(figures).toMatchObject({ calls: 3, refused: 1, wasted: 1 });
  });
});
