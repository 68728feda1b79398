import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Conversation, Outcome } from '../../src/core/platform.ts';
import type { Event } from '../../src/core/state.ts';
import { createLearned } from '../../src/typing/learned.ts';
import { createPerform, type PerformDeps } from '../../src/typing/perform.ts';
import { Postponed } from '../../src/typing/shares.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { type Scripted, scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import {
  atMost,
  deferred,
  newConversation,
  type RecordedEvents,
  recordEvents,
} from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let store: Store;

beforeAll(async () => {
  server = await startRedis('embedded');
  store = createStore(server.connect());
});
afterAll(() => server.stop());

interface Stage extends PerformDeps {
  clock: HandClock;
  events: RecordedEvents;
  log: RecordedLog;
  platform: ScriptedPlatform;
  conversation: Conversation;
  /** Runs one job of that event, which happens now unless it says otherwise. */
  run: (
    event: Happening & { at?: number },
    how?: { id?: string; redelivered?: boolean; of?: Conversation },
  ) => Promise<void>;
  state: () => ReturnType<Store['load']>;
}

type Happening = Event extends infer E ? (E extends unknown ? Omit<E, 'at'> : never) : never;

let accountsSeen = 0;
let jobs = 0;

function stage(script: Scripted & { unknown?: boolean; places?: number } = {}): Stage {
  const clock = handClock();
  // Its own account, for what is learned of accounts outlives a test.
  const platform = Object.assign(scriptedPlatform(script), { account: `shop-${(accountsSeen += 1)}` });
  const conversation = { ...newConversation(), account: platform.account };
  const log = recordLog();
  const events = recordEvents();
  const deps = {
    store,
    events,
    learned: createLearned({ redis: server.connect(), clock, log, isAuto: () => true }),
    clock,
    log,
    shares: atMost(script.places ?? 8),
    platformOf: () => (script.unknown ? null : platform),
  };
  const perform = createPerform(deps);
  const run: Stage['run'] = (
    event,
    { id = `job-${(jobs += 1)}`, redelivered = false, of = conversation } = {},
  ) => perform({ id, data: { conversation: of, event: { at: clock.now(), ...event } }, redelivered });
  return { ...deps, platform, conversation, run, state: () => store.load(conversation) };
}

function inbound(turn = 'a'): Happening {
  const message = {
    sentAt: 0,
    messageId: turn,
    opensTurn: true,
    interaction: true,
    phase: 'working',
  } as const;
  return { is: 'inbound', turn, ...message };
}

const failure = (turn = 'a'): Happening => ({ is: 'ended', turn, by: 'reply-failed', message: false });

describe('one event', () => {
  test('makes the call that it asks for, and arms the wake-up that follows from its outcome', async () => {
    const it = stage();
    await it.run(inbound());
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
    const { state } = await it.state();
    expect(state).toMatchObject({ call: null, indicator: { is: 'lit', until: it.clock.now() + 15_000 } });
    expect(it.events.armed).toEqual([{ n: state.timer?.n, at: it.clock.now() + 15_060 }]);
  });

  test('says what became of a text to whoever waits', async () => {
    const it = stage({ rules: { interim: { after: 0 } } });
    it.platform.sendInterim = async () => ({ is: 'failed', code: 45047 });
    await it.run(inbound());
    expect(it.log.lines.filter(({ message }) => message === 'interim text')).toMatchObject([
      { level: 'warn', fields: { is: 'failed', code: 45047 } },
    ]);
  });

  test('is on record before its call goes out, so that a crash leaves no ghost', async () => {
    const arrived = deferred();
    const answer = deferred<Outcome>();
    const it = stage({
      show: () => {
        arrived.resolve();
        return answer.promise;
      },
    });
    const running = it.run(inbound(), { id: 'job-x' });
    await arrived.promise;
    expect((await it.state()).state.call).toMatchObject({ kind: 'show', by: 'job-x' });
    answer.resolve({ is: 'done' });
    await running;
  });

  test('that ends the turn takes the indicator away, disarms the wake-up and says so', async () => {
    const it = stage();
    await it.run(inbound());
    it.clock.set(it.clock.now() + 3000);
    await it.run(failure());
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `hide ${it.conversation.user}`]);
    expect(it.events.disarmed).toEqual([it.events.armed[0]?.n]);
    expect(it.log.lines.filter(({ message }) => message === 'turn ended')).toEqual([
      {
        level: 'info',
        message: 'turn ended',
        fields: {
          conversation: `wechat/${it.conversation.account}/${it.conversation.user}`,
          turn: 'a',
          by: 'reply-failed',
          ms: 3000,
        },
      },
    ]);
  });

  test('that waited in the queue is judged by the clock', async () => {
    const it = stage();
    const asked = it.clock.now();
    it.clock.set(asked + 29_000);
    await it.run({ ...inbound(), at: asked });
    expect(it.platform.calls).toEqual([]);
    expect((await it.state()).state).toMatchObject({
      lastInteractionAt: asked,
      turns: [{ openedAt: asked }],
    });
  });

  test('that is a wake-up is judged by the clock: late it calls, early it is armed again', async () => {
    const it = stage();
    await it.run(inbound());
    const [timer] = it.events.armed;
    const wake = { is: 'wake', timer: timer?.n ?? 0, at: timer?.at ?? 0 } as const;
    it.clock.set(wake.at - 1);
    await it.run(wake);
    expect(it.platform.calls).toHaveLength(1);
    const again = it.events.armed[1];
    expect(again?.at).toBe(wake.at);
    it.clock.set(wake.at + 5000);
    await it.run({ ...wake, timer: again?.n ?? 0 });
    expect(it.platform.calls).toHaveLength(2);
  });

  test('of an account that is not configured here is ignored', async () => {
    const it = stage({ unknown: true });
    await it.run(inbound());
    expect(it.platform.calls).toEqual([]);
    expect((await it.state()).raw).toBeNull();
  });
});

describe('a stale wake-up', () => {
  test('does nothing: no call, nothing saved, nothing armed', async () => {
    const it = stage();
    await it.run(inbound());
    const before = await it.state();
    it.clock.set(it.clock.now() + 20_000);
    await it.run({ is: 'wake', timer: 99 });
    expect(it.platform.calls).toHaveLength(1);
    expect((await it.state()).raw).toBe(before.raw);
    expect(it.events.armed).toHaveLength(1);
  });
});

describe('several jobs at once on one conversation', () => {
  test('make one call at a time, and lose no event', async () => {
    let inFlight = 0;
    let most = 0;
    const slow = async (): Promise<Outcome> => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await store.last(newConversation());
      inFlight -= 1;
      return { is: 'done' };
    };
    const it = stage({ show: slow, hide: slow, places: 12 });
    const turns = Array.from({ length: 12 }, (_, n) => `turn-${n}`);
    await Promise.all(turns.map((turn) => it.run(inbound(turn))));
    expect(most).toBe(1);
    expect(it.platform.calls).toHaveLength(1);
    expect((await it.state()).state.turns.map(({ id }) => id).toSorted()).toEqual(turns.toSorted());
    await Promise.all(turns.map((turn) => it.run(failure(turn))));
    expect(most).toBe(1);
    expect((await it.state()).state).toMatchObject({ turns: [], indicator: { is: 'dark' } });
    expect(it.platform.calls).toHaveLength(2);
  });

  test('what happens during a call is judged when its outcome is there', async () => {
    const arrived = deferred();
    const answer = deferred<Outcome>();
    const it = stage({
      show: () => {
        arrived.resolve();
        return answer.promise;
      },
    });
    const showing = it.run(inbound());
    await arrived.promise;
    await it.run(failure());
    expect(it.platform.calls).toHaveLength(1);
    answer.resolve({ is: 'done' });
    await showing;
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `hide ${it.conversation.user}`]);
  });
});

describe('a job whose earlier try died', () => {
  test('gives up the call of that try at once, and takes back what may show', async () => {
    const arrived = deferred();
    const it = stage({
      show: () => {
        arrived.resolve();
        return new Promise<Outcome>(() => {});
      },
    });
    void it.run(inbound(), { id: 'job-x' });
    await arrived.promise;
    await it.run(failure());
    expect(it.platform.calls).toHaveLength(1);
    await it.run(inbound(), { id: 'job-x', redelivered: true });
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `hide ${it.conversation.user}`]);
  });

  test('arms a wake-up anew, for nobody knows whether the one on record ever was', async () => {
    const it = stage();
    await it.run(inbound(), { id: 'job-x' });
    await it.run(inbound(), { id: 'job-x', redelivered: true });
    const [first, second] = it.events.armed;
    expect(it.events.armed).toHaveLength(2);
    expect(second?.at).toBe(first?.at);
    expect((await it.state()).state.timer?.n).toBe(second?.n);
  });

  test("leaves another job's call alone", async () => {
    const arrived = deferred();
    const answer = deferred<Outcome>();
    const it = stage({
      show: () => {
        arrived.resolve();
        return answer.promise;
      },
    });
    const showing = it.run(inbound(), { id: 'job-x' });
    await arrived.promise;
    await it.run(failure(), { id: 'job-y', redelivered: true });
    expect(it.platform.calls).toHaveLength(1);
    answer.resolve({ is: 'done' });
    await showing;
    expect(it.platform.calls).toHaveLength(2);
  });
});

describe("the platform's word on the account", () => {
  const off: Outcome = { is: 'account-off', code: 48001, remedy: 'Certify it.' };

  test('"may not" switches it off for all conversations, and says the remedy loudly', async () => {
    const it = stage({ show: () => off });
    await it.run(inbound());
    expect(it.learned.rules(it.platform).mode).toBe('off');
    await it.run(inbound('b'), { of: { ...newConversation(), account: it.platform.account } });
    expect(it.platform.calls).toHaveLength(1);
    const [line] = it.log.lines.filter(({ level }) => level === 'error');
    expect(line?.message).toContain('Certify it.');
  });

  test('an accepted call after the hour switches it on again', async () => {
    const answers = [off];
    const it = stage({ show: () => answers.shift() ?? { is: 'done' } });
    await it.run(inbound());
    it.clock.set(it.clock.now() + 3_600_000);
    await it.run(inbound('b'));
    expect(it.platform.calls).toHaveLength(2);
    expect(it.learned.of(it.platform)).toMatchObject({ offUntil: 0, muteUntil: 0 });
  });

  test('"your request was malformed" is our bug: said loudly', async () => {
    const it = stage({ show: () => ({ is: 'failed', code: 45072, bug: true }) });
    await it.run(inbound());
    expect(it.log.lines.find(({ level }) => level === 'error')?.fields).toMatchObject({ code: 45072 });
  });
});

describe("an account's breaker", () => {
  test.each([
    ['failures', { is: 'failed', code: -1 }],
    ['calls without an answer', { is: 'lost', begun: true, cause: 'timeout' }],
  ] as const)(
    'opens after five %s in a row, whoever they were for, and lets hides through',
    async (_, outcome) => {
      const answers: Outcome[] = [{ is: 'done' }, ...Array.from({ length: 5 }, () => outcome)];
      const it = stage({ show: () => answers.shift() ?? { is: 'done' } });
      const others = Array.from({ length: 6 }, () => ({
        ...newConversation(),
        account: it.platform.account,
      }));
      await it.run(inbound());
      for (const of of others.slice(0, 5)) await it.run(inbound(), { of });
      expect(it.platform.calls).toHaveLength(6);
      await it.run(inbound(), { of: others[5] ?? it.conversation });
      expect(it.platform.calls).toHaveLength(6);
      await it.run(failure());
      expect(it.platform.calls.at(-1)).toBe(`hide ${it.conversation.user}`);
    },
  );

  test('lets one show probe when its pause is over', async () => {
    let answer: Outcome = { is: 'failed', code: -1 };
    const it = stage({ show: () => answer });
    const shows = (count: number) =>
      Promise.all(
        Array.from({ length: count }, () =>
          it.run(inbound(), { of: { ...newConversation(), account: it.platform.account } }),
        ),
      );
    await shows(5);
    it.clock.set(it.clock.now() + 2000);
    await shows(3);
    expect(it.platform.calls).toHaveLength(6);
    it.clock.set(it.clock.now() + 4000);
    answer = { is: 'done' };
    await shows(1);
    await shows(3);
    expect(it.platform.calls).toHaveLength(10);
  });

  test('of one account holds no other back', async () => {
    const ill = stage({ show: () => ({ is: 'failed', code: -1 }) });
    const well = scriptedPlatform();
    const perform = createPerform({
      ...ill,
      platformOf: ({ account }) => (account === ill.platform.account ? ill.platform : well),
    });
    const run = (conversation: Conversation): Promise<void> =>
      perform({
        id: `job-${(jobs += 1)}`,
        data: { conversation, event: { ...inbound(), at: ill.clock.now() } },
        redelivered: false,
      });
    for (let n = 0; n < 6; n += 1) await run({ ...newConversation(), account: ill.platform.account });
    await run(newConversation());
    expect(ill.platform.calls).toHaveLength(5);
    expect(well.calls).toHaveLength(1);
  });
});

describe('an account with as many calls in flight as it may have', () => {
  test('postpones what asks for shows, and takes ends', async () => {
    const answers = [deferred<Outcome>(), deferred<Outcome>()];
    const arrived = deferred();
    let shows = 0;
    const it = stage({
      places: 2,
      show: () => {
        const answer = answers[shows];
        shows += 1;
        if (shows === 2) arrived.resolve();
        return answer?.promise ?? { is: 'done' };
      },
    });
    const other = { ...newConversation(), account: it.platform.account };
    const third = { ...newConversation(), account: it.platform.account };
    const running = [it.run(inbound()), it.run(inbound(), { of: other })];
    await arrived.promise;
    await expect(it.run(inbound(), { of: third })).rejects.toBeInstanceOf(Postponed);
    expect((await store.load(third)).raw).toBeNull();
    await it.run(failure(), { of: third });
    expect(shows).toBe(2);
    for (const answer of answers) answer.resolve({ is: 'done' });
    await Promise.all(running);
    await it.run(inbound('b'), { of: third });
    expect(shows).toBe(3);
  });

  test('cancels later what an end would have cancelled: the call would only wait, in a place that others need', async () => {
    const held = deferred<Outcome>();
    const arrived = deferred();
    let shows = 0;
    const it = stage({
      places: 2,
      show: () => {
        shows += 1;
        if (shows < 3) return { is: 'done' };
        arrived.resolve();
        return held.promise;
      },
    });
    const beside = () => ({ ...newConversation(), account: it.platform.account });
    const ending = beside();
    await it.run(inbound(), { of: ending });
    await it.run(inbound(), { of: beside() });
    const running = it.run(inbound(), { of: beside() });
    await arrived.promise;
    const [blocked] = [it.run(inbound(), { of: beside() })];
    await vi.waitFor(() => expect(shows).toBe(4));
    await it.run(failure(), { of: ending });
    expect(it.platform.calls.filter((call) => call.startsWith('hide'))).toEqual([]);
    const { state } = await store.load(ending);
    expect(state).toMatchObject({ turns: [], call: null, timer: { at: state.hideAt } });
    held.resolve({ is: 'done' });
    await Promise.all([running, blocked]);
    it.clock.set(state.hideAt);
    await it.run({ is: 'wake', timer: state.timer?.n ?? 0 }, { of: ending });
    expect(it.platform.calls.at(-1)).toMatch(/^hide/);
  });

  test('frees the place of a call that failed', async () => {
    const it = stage({ places: 1, show: () => ({ is: 'lost', begun: true, cause: 'timeout' }) });
    await it.run(inbound());
    await it.run(inbound(), { of: { ...newConversation(), account: it.platform.account } });
    expect(it.platform.calls).toHaveLength(2);
  });
});

describe('a pause that the platform asks for', () => {
  test('holds back the shows of all its conversations, until it is over', async () => {
    const answers: Outcome[] = [{ is: 'account-back-off', code: 45011, forMs: 5000 }];
    const it = stage({ show: () => answers.shift() ?? { is: 'done' } });
    const other = { ...newConversation(), account: it.platform.account };
    await it.run(inbound());
    await it.run(inbound(), { of: other });
    expect(it.platform.calls).toHaveLength(1);
    // No later than a second after it, each at a moment of its own.
    it.clock.set(it.clock.now() + 6000);
    await it.run(inbound('b'), { of: other });
    expect(it.platform.calls).toHaveLength(2);
  });

  test('does not end for all of its conversations at one moment', async () => {
    const it = stage({ show: () => ({ is: 'account-back-off', code: 45011, forMs: 5000 }) });
    await it.run(inbound());
    const ends = new Set<number | null | undefined>();
    for (let n = 0; n < 20; n += 1) {
      const other = { ...newConversation(), account: it.platform.account };
      await it.run(inbound(), { of: other });
      ends.add((await store.load(other)).state.refusal?.until);
    }
    expect(it.platform.calls).toHaveLength(1);
    expect(ends.size).toBeGreaterThan(10);
    const at = it.clock.now() + 5000;
    for (const end of ends) {
      expect(end).toBeGreaterThanOrEqual(at);
      expect(end).toBeLessThanOrEqual(at + 1000);
    }
  });

  test('is not ended by a call that was in flight when it was asked for', async () => {
    const arrived = deferred();
    const slow = deferred<Outcome>();
    let shows = 0;
    const it = stage({
      show: () => {
        shows += 1;
        arrived.resolve();
        return shows === 1 ? slow.promise : { is: 'account-back-off', code: 45011, forMs: 5000 };
      },
    });
    const [second, third] = [newConversation(), newConversation()].map((each) => ({
      ...each,
      account: it.platform.account,
    }));
    const first = it.run(inbound());
    await arrived.promise;
    await it.run(inbound(), { of: second ?? it.conversation });
    slow.resolve({ is: 'done' });
    await first;
    await it.run(inbound(), { of: third ?? it.conversation });
    expect(shows).toBe(2);
  });
});

test('a fault of Redis in sharing what was learned does not lose the event', async () => {
  const it = stage({ show: () => ({ is: 'account-off', code: 48001, remedy: 'Certify it.' }) });
  it.learned.switchOff = () => Promise.reject(new Error('Redis is away'));
  await it.run(inbound());
  expect((await it.state()).state).toMatchObject({ call: null, turns: [{ id: 'a' }] });
});

test('a platform that cannot hide is not asked to', async () => {
  const it = stage({ channel: 'nxcloud', rules: { hides: false }, hide: 'absent' });
  await it.run(inbound());
  await it.run(failure());
  expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
  expect((await it.state()).state).toMatchObject({ turns: [], call: null });
});
