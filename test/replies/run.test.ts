import { describe, expect, test } from 'vitest';
import { initialState, type State } from '../../src/core/state.ts';
import { newTurn } from '../../src/core/turns.ts';
import { createAnsweredSince, createIsAnswered } from '../../src/replies/run.ts';

const now = 1_000;
const turn = newTurn({ id: 'a', openedAt: 0, sentAt: 0, phase: 'working' });
const pushed = {
  channel: 'wechat',
  account: 'default',
  key: 'a',
  user: 'u',
  turns: [{ user: 'u', turn: 'a' }],
} as const;

const waits: State = { ...initialState, turns: [turn] };
const replied: State = { ...initialState, turns: [{ ...turn, replied: 'gateway' }] };

/** What Redis says, look after look. */
const isAnswered = (...looks: { state: State; blockedUntil: number }[]): Promise<boolean> => {
  const left = [...looks];
  const { channel, account } = pushed;
  const load = async () => {
    const look = left.shift();
    if (!look) throw new Error('Redis is away.');
    return { ...look, conversation: { channel, account, user: 'u' }, raw: null, sentAt: 0 };
  };
  const clock = { now: () => now, sleep: async () => {} };
  return createIsAnswered({ store: { load }, clock })({ ...pushed, turns: [...pushed.turns] });
};

/** Of ten bots that sent by the gateway and said `success` in the same moment four were called again. */
describe('a message of the bot', () => {
  test('that is under way is waited for', async () => {
    expect(
      await isAnswered({ state: waits, blockedUntil: now + 1 }, { state: replied, blockedUntil: 0 }),
    ).toBe(true);
  });

  test('that did not go out is none', async () => {
    expect(await isAnswered({ state: waits, blockedUntil: now + 1 }, { state: waits, blockedUntil: 0 })).toBe(
      false,
    );
  });

  test('of which nothing is known is none', async () => {
    expect(await isAnswered()).toBe(false);
    expect(await isAnswered({ state: waits, blockedUntil: now })).toBe(false);
  });
});

/** What Redis says; null: it is away. */
const since = (state: State | null): Promise<boolean> => {
  const load = async () => {
    if (!state) throw new Error('Redis is away.');
    const { channel, account } = pushed;
    return { state, conversation: { channel, account, user: 'u' }, raw: null, sentAt: 0, blockedUntil: 0 };
  };
  return createAnsweredSince({ store: { load } })({ ...pushed, turns: [...pushed.turns] });
};

describe('a bot whose caller has died has answered since', () => {
  const ended = { id: 'a', seen: true, by: 'gateway', asked: false, openedAt: 0, at: now } as const;
  test.each([
    ['where that ended the turn', { ...initialState, ended: [{ ...ended, answered: true as const }] }, true],
    ['not where it may have ended another', { ...initialState, ended: [ended] }, false],
    ['not where the turn still waits', waits, false],
    ['not where nothing is known', null, false],
  ])('%s', async (_, state, is) => {
    expect(await since(state)).toBe(is);
  });
});
