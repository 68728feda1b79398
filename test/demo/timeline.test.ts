import { expect, test } from 'vitest';
import { createTimeline } from '../../src/demo/open.ts';
import type { Mark } from '../../src/simulator/index.ts';

const mark = (at: number, what: Mark['what'], detail = ''): Mark => ({
  channel: 'wechat',
  user: 'o1',
  at,
  what,
  detail,
});

test('a turn as the terminal shows it: seconds since the start, renewals told apart', () => {
  const timeline = createTimeline(1_000);
  const lines = [
    mark(1_000, 'sent', 'hi'),
    mark(1_100, 'call', 'Typing'),
    mark(1_100, 'typing-on'),
    mark(16_100, 'typing-off', 'expired'),
    mark(16_160, 'typing-on'),
    mark(25_000, 'typing-off', 'message'),
    mark(25_000, 'received', 'answer'),
    mark(30_000, 'sent', 'again'),
    mark(30_050, 'typing-on'),
  ].map(timeline);
  expect(lines).toEqual([
    '   0.0 s  WeChat    user      ▸ hi',
    null,
    '   0.1 s  WeChat    indicator ● typing…',
    '  15.1 s  WeChat    indicator ○ off (expired)',
    '  15.2 s  WeChat    indicator ● typing… (renewed)',
    '  24.0 s  WeChat    indicator ○ off (message)',
    '  24.0 s  WeChat    bot       ◂ answer',
    '  29.0 s  WeChat    user      ▸ again',
    '  29.1 s  WeChat    indicator ● typing…',
  ]);
});
