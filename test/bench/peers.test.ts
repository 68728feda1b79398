import { expect, test } from 'vitest';
import { type Mix, planOf, race, type Race } from '../../bench/peers.ts';

/** Short enough for a test; an indicator lasts no longer than a call of the model. */
const mix: Mix = {
  seed: 20_260_101,
  users: 9,
  perSecond: 20,
  againMs: [50, 200],
  medianMs: 400,
  failing: 0.3,
  apiMs: [2, 20],
};
const lifetime = 300;

const options: Race = {
  mix,
  scenario: { processes: 1, kills: false },
  redisUrl: 'redis://unused',
  warm: 0,
  rules: { wechat: { rules: { lifetime } }, nxcloud: { rules: { lifetime, retryMs: 500 } } },
  answerLimit: 30_000,
  ghostLimit: lifetime,
};

const setInterval = { folder: 'set-interval', on: ['wechat', 'nxcloud'] } as const;

test('the same seed makes the same plan, with overlaps and failures', () => {
  const plan = planOf(mix);
  expect(planOf(mix)).toEqual(plan);
  expect(planOf({ ...mix, seed: 4 })).not.toEqual(plan);
  expect(plan).toHaveLength(12);
  expect(plan.filter(({ thought }) => thought.fails).length).toBeGreaterThan(0);
});

test('each message has its one answer, from one process and from two', async () => {
  for (const processes of [1, 2]) {
    const [result] = await race([setInterval], { ...options, scenario: { processes, kills: false } });
    for (const channel of setInterval.on) {
      const figures = result?.figures[channel];
      expect(figures).toMatchObject({ messages: 12, lost: 0, doubled: 0 });
      // Once for each, and nothing else: the interval is longer than any of these waits.
      expect(figures?.calls).toBeGreaterThanOrEqual(12);
      expect(figures?.lit).toBeGreaterThan(0);
      expect(figures?.waited).toBeGreaterThan(figures?.lit ?? Infinity);
    }
  }
});

test('what a killed process had under way is lost, and what comes later is answered', async () => {
  const slow = { ...mix, perSecond: 5, medianMs: 3_000, failing: 0 };
  const killing = { ...options, mix: slow, scenario: { processes: 1, kills: true }, answerLimit: 8_000 };
  const [result] = await race([setInterval], killing);
  const all = setInterval.on.flatMap((channel) => result?.figures[channel] ?? []);
  const lost = all.reduce((sum, figures) => sum + figures.lost, 0);
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(2 * planOf(slow).length);
  expect(all.map(({ doubled }) => doubled)).toEqual([0, 0]);
});
