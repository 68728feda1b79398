import { saidElsewhere } from '../../src/core/said.ts';
import { DelayedError, Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Conversation, conversationId, type Outcome } from '../../src/core/platform.ts';
import type { Event } from '../../src/core/state.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { oneShard } from '../../src/redis/shards.ts';
import type { TypingJob } from '../../src/typing/jobs.ts';
import { createLearned } from '../../src/typing/learned.ts';
import { createTyping, type PerformDeps } from '../../src/typing/perform.ts';
import { Postponed, type Shares } from '../../src/typing/shares.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { type Scripted, scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import { atMost, deferred, newConversation, noPressure } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let store: Store;
let queue: Queue<TypingJob>;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  store = createStore(oneShard(redis));
  queue = new Queue(queueNames.typing, { connection: redis, prefix: keys.prefix });
});
afterAll(async () => {
  await queue.close();
  await server.stop();
});

/** A job that no queue has: it goes nowhere when it is put back. */
class HandedJob extends Job<TypingJob> {
  override async moveToDelayed(): Promise<void> {}
}

interface Stage extends PerformDeps {
  clock: HandClock;
  log: RecordedLog;
  platform: ScriptedPlatform;
  conversation: Conversation;
  /** When this process looks again, after each step (ms); null: it need not. */
  planned: (number | null)[];
  /** Runs one job of that event, which happens now unless it says otherwise. */
  run: (
    event: Happening & { at?: number },
    how?: { id?: string; redelivered?: boolean; of?: Conversation },
  ) => Promise<void>;
  /** The process looks at the conversation by itself, which it has planned, or found overdue. */
  look: (how?: { of?: Conversation; isFound?: boolean; at?: number }) => Promise<void>;
  state: () => ReturnType<Store['load']>;
  /** When the conversation has to be looked at again (ms), as Redis knows it. */
  wakeAt: (of?: Conversation) => Promise<number | null>;
}

type Happening = Event extends infer E ? (E extends unknown ? Omit<E, 'at'> : never) : never;

let accountsSeen = 0;
let jobs = 0;

interface StageScript extends Scripted {
  unknown?: boolean;
  places?: number;
  backFor?: () => number;
}

function stage(script: StageScript = {}): Stage {
  const clock = handClock();
  // Its own account, for what is learned of accounts outlives a test.
  const platform = Object.assign(scriptedPlatform(script), { account: `shop-${(accountsSeen += 1)}` });
  const conversation = { ...newConversation(), account: platform.account };
  const log = recordLog();
  const planned: Stage['planned'] = [];
  const deps: PerformDeps & Pick<Stage, 'clock' | 'log'> = {
    name: 'worker',
    pressure: noPressure,
    store,
    wakes: { set: (_, timer) => void planned.push(timer?.at ?? null) },
    learned: createLearned({ redis: server.connect(), clock, log, isAuto: () => true }),
    clock,
    log,
    backFor: script.backFor ?? (() => Infinity),
    shares: atMost(script.places ?? 8),
    platformOf: () => (script.unknown ? null : platform),
  };
  const wakeAt: Stage['wakeAt'] = async (of = conversation) => {
    const at = await redis.zscore(keys.wakes, conversationId(of));
    return at === null ? null : Number(at);
  };
  const state = () => store.load(conversation);
  return { ...deps, ...workOn(deps, conversation), platform, conversation, planned, state, wakeAt };
}

/** One process's work at conversations; several may work at the same. */
function workOn(deps: PerformDeps, conversation: Conversation): Pick<Stage, 'run' | 'look'> {
  const { process, look } = createTyping(deps, async () => {});
  return {
    run: (event, { id = `job-${(jobs += 1)}`, redelivered = false, of = conversation } = {}) => {
      const data = { conversation: of, event: { at: deps.clock.now(), ...event } };
      const job = new HandedJob(queue, event.is, data, {}, id);
      job.stalledCounter = redelivered ? 1 : 0;
      return process(job);
    },
    look: ({ of = conversation, isFound = false, at = deps.clock.now() } = {}) =>
      look(of, { at, n: 1, isFound }),
  };
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

/** A show that is under way until it is answered; `arrived`: the platform has it. */
function stageOfSlowShow() {
  const arrived = deferred();
  const answer = deferred<Outcome>();
  const it = stage({
    show: () => {
      arrived.resolve();
      return answer.promise;
    },
  });
  return { it, arrived, answer };
}

const failure = (turn = 'a'): Happening => ({ is: 'ended', turn, by: 'reply-failed', message: false });

describe('one event', () => {
  test('makes the call that it asks for, and plans the look that follows from its outcome', async () => {
    const it = stage();
    await it.run(inbound());
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
    const { state } = await it.state();
    expect(state).toMatchObject({ call: null, indicator: { is: 'lit', until: it.clock.now() + 15_000 } });
    expect(it.planned).toEqual([null, it.clock.now() + 15_060]);
    expect(await it.wakeAt()).toBe(it.clock.now() + 15_060);
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
    const { it, arrived, answer } = stageOfSlowShow();
    const running = it.run(inbound(), { id: 'job-x' });
    await arrived.promise;
    expect((await it.state()).state.call).toMatchObject({ kind: 'show', by: 'job-x' });
    answer.resolve({ is: 'done' });
    await running;
  });

  test('that ends the turn takes the indicator away, needs no look any more and says so', async () => {
    const it = stage();
    await it.run(inbound());
    it.clock.set(it.clock.now() + 3000);
    await it.run(failure());
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `hide ${it.conversation.user}`]);
    expect(it.planned.at(-1)).toBeNull();
    expect(await it.wakeAt()).toBeNull();
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

  test('that is a look is judged by the clock: early it does nothing, late it calls', async () => {
    const it = stage();
    await it.run(inbound());
    const due = (await it.wakeAt()) ?? 0;
    it.clock.set(due - 1);
    const before = await it.state();
    await it.look();
    expect(it.platform.calls).toHaveLength(1);
    expect((await it.state()).raw).toBe(before.raw);
    it.clock.set(due + 5000);
    await it.look();
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
  test('does nothing: no call, nothing saved, nothing planned', async () => {
    const it = stage();
    await it.run(inbound());
    const before = await it.state();
    it.clock.set(it.clock.now() + 20_000);
    await it.run({ is: 'wake', timer: 99 });
    expect(it.platform.calls).toHaveLength(1);
    expect((await it.state()).raw).toBe(before.raw);
    expect(it.planned).toHaveLength(2);
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
    const { it, arrived, answer } = stageOfSlowShow();
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
    await workOn(it, it.conversation).run(inbound(), { id: 'job-x', redelivered: true });
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `hide ${it.conversation.user}`]);
  });

  test('or only looks so, as a late Redis hands it out again: this process makes no second call', async () => {
    const { it, arrived, answer } = stageOfSlowShow();
    const first = it.run(inbound(), { id: 'job-x' });
    await arrived.promise;
    const again = it.run(inbound(), { id: 'job-x', redelivered: true });
    answer.resolve({ is: 'done' });
    await Promise.all([first, again]);
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
  });

  test('plans the look anew, for whoever had planned it is dead', async () => {
    const it = stage();
    await it.run(inbound(), { id: 'job-x' });
    const due = it.planned.at(-1);
    it.planned.splice(0);
    await it.run(inbound(), { id: 'job-x', redelivered: true });
    expect(it.planned.at(-1)).toBe(due);
    expect(await it.wakeAt()).toBe(due);
  });

  test("leaves another job's call alone", async () => {
    const { it, arrived, answer } = stageOfSlowShow();
    const showing = it.run(inbound(), { id: 'job-x' });
    await arrived.promise;
    await it.run(failure(), { id: 'job-y', redelivered: true });
    expect(it.platform.calls).toHaveLength(1);
    answer.resolve({ is: 'done' });
    await showing;
    expect(it.platform.calls).toHaveLength(2);
  });
});

const hangs = () => stage({ show: () => new Promise<Outcome>(() => {}) });

describe('a worker that died without a job of its own', () => {
  const callLimit = 8_000;

  test('its call is given up when it should be over, and what is wanted then is decided anew', async () => {
    const dead = hangs();
    const { clock } = dead;
    const from = clock.now();
    void dead.run(inbound());
    await expect.poll(async () => (await dead.state()).state.call).not.toBeNull();
    expect(await dead.wakeAt()).toBe(from + callLimit);
    const platform = scriptedPlatform();
    const other = workOn({ ...dead, name: 'other', platformOf: () => platform }, dead.conversation);
    clock.set(from + callLimit - 1);
    await other.look({ isFound: true });
    expect((await dead.state()).state.call).not.toBeNull();
    clock.set(from + callLimit);
    await other.look({ isFound: true });
    const due = (await dead.wakeAt()) ?? 0;
    expect((await dead.state()).state).toMatchObject({ call: null, givenUp: { kind: 'show' } });
    expect(due).toBeGreaterThan(clock.now());
    clock.set(due);
    await other.look();
    expect(platform.calls).toEqual([`show ${dead.conversation.user}`]);
  });

  test('also where something else is due only later', async () => {
    const dead = stage({ hide: () => new Promise<Outcome>(() => {}) });
    await dead.run(inbound());
    void dead.run(failure());
    await expect.poll(async () => (await dead.state()).state.call).not.toBeNull();
    const due = (await dead.wakeAt()) ?? 0;
    expect((await dead.state()).state.timer?.at).toBeGreaterThan(due);
    const platform = scriptedPlatform();
    const other = workOn({ ...dead, name: 'other', platformOf: () => platform }, dead.conversation);
    dead.clock.set(due);
    await other.look({ isFound: true });
    dead.clock.set((await dead.wakeAt()) ?? due);
    await other.look();
    expect(platform.calls).toEqual([`hide ${dead.conversation.user}`]);
  });
});

test('a process that is behind puts its looks off, for 3 s at most', async () => {
  const it = stage();
  await it.run(inbound());
  const due = (await it.wakeAt()) ?? 0;
  const behind = workOn({ ...it, pressure: { isBusy: () => true } }, it.conversation);
  it.clock.set(due);
  await expect(behind.look()).rejects.toBeInstanceOf(Postponed);
  it.clock.set(due + 2_999);
  await expect(behind.look({ at: due })).rejects.toBeInstanceOf(Postponed);
  expect(it.platform.calls).toHaveLength(1);
  it.clock.set(due + 3_000);
  await behind.look({ at: due });
  expect(it.platform.calls).toHaveLength(2);
});

test('of two processes that look at the same moment one makes the call', async () => {
  const it = stage();
  await it.run(inbound());
  it.clock.set((await it.wakeAt()) ?? 0);
  const both = ['one', 'other'].map((name) => workOn({ ...it, name }, it.conversation));
  await Promise.all(both.map(({ look }) => look()));
  expect(it.platform.calls).toHaveLength(2);
});

/** As whoever takes it up moves its time. */
const moved = (it: Stage, of = it.conversation) =>
  redis.zadd(keys.wakes, it.clock.now() + 3000, conversationId(of));

describe('a conversation that was found overdue', () => {
  test('and whose state is gone is taken out', async () => {
    const it = stage();
    await moved(it);
    await it.look({ isFound: true });
    expect(await it.wakeAt()).toBeNull();
    expect((await it.state()).raw).toBeNull();
  });

  test('and is not due after all gets its time back', async () => {
    const it = stage();
    await it.run(inbound());
    const due = await it.wakeAt();
    await moved(it);
    await it.look({ isFound: true });
    expect(await it.wakeAt()).toBe(due);
    expect(it.platform.calls).toHaveLength(1);
  });

  test('is looked at, and its next time stands with its state', async () => {
    const it = stage();
    await it.run(inbound());
    it.clock.set(it.clock.now() + 17_000);
    await moved(it);
    await it.look({ isFound: true });
    expect(it.platform.calls).toHaveLength(2);
    expect(it.planned.at(-1)).toBeGreaterThan(it.clock.now() + 3000);
    expect(await it.wakeAt()).toBe(it.planned.at(-1));
  });

  test('of an account that this process does not know is left to others until its state is gone', async () => {
    const known = stage();
    await known.run(inbound());
    const it = stage({ unknown: true });
    await moved(it, known.conversation);
    await it.look({ of: known.conversation, isFound: true });
    expect(await known.wakeAt()).toBe(it.clock.now() + 3000);
    await redis.del(keys.state(conversationId(known.conversation)));
    await it.look({ of: known.conversation, isFound: true });
    expect(await known.wakeAt()).toBeNull();
  });
});

describe('after Redis was away', () => {
  test('no show is decided for 2 s for what lies there from before', async () => {
    let back = 500;
    const it = stage({ backFor: () => back });
    const from = it.clock.now();
    await it.run({ ...inbound(), at: from - 600 });
    expect(it.platform.calls).toEqual([]);
    expect(await it.wakeAt()).toBe(from + 1_500);
    back = 2_000;
    it.clock.set(from + 1_500);
    await it.look();
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
  });

  test('nor by a look: its time lay there from before', async () => {
    let back = Infinity;
    const it = stage({ backFor: () => back });
    await it.run(inbound());
    it.clock.set((await it.wakeAt()) ?? 0);
    back = 0;
    await it.look();
    expect(it.platform.calls).toHaveLength(1);
    expect(await it.wakeAt()).toBe(it.clock.now() + 2_000);
  });

  test('what happens since shows at once, and an end from before takes away what shows', async () => {
    let back = Infinity;
    const it = stage({ backFor: () => back });
    await it.run(inbound());
    it.clock.pass(3_000);
    back = 500;
    await it.run({ ...failure(), at: it.clock.now() - 1_000 });
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `hide ${it.conversation.user}`]);
    await it.run({ ...inbound('b'), at: it.clock.now() - 499 });
    expect(it.platform.calls).toHaveLength(3);
  });
});

test('a show that Redis has held up for too long is not made: a message that waited for it has left by now', async () => {
  const it = stage();
  let late = 300;
  const slow: Store = {
    ...store,
    save: async (conversation, change) => {
      if (change.to.call) it.clock.pass(late);
      return store.save(conversation, change);
    },
  };
  const { run, look } = workOn({ ...it, store: slow }, it.conversation);
  late = 301;
  await run(inbound());
  expect(it.platform.calls).toEqual([]);
  expect((await it.state()).state).toMatchObject({ call: null, indicator: { is: 'dark' } });
  late = 300;
  it.clock.set((await it.wakeAt()) ?? 0);
  await look();
  expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
});

test('a renewal leaves as much earlier as calls take at the least of late', async () => {
  const it = stage({
    show: () => {
      it.clock.pass(40);
      return { is: 'done' };
    },
  });
  const shows = async (): Promise<number> => {
    const of = { ...newConversation(), account: it.platform.account };
    const from = it.clock.now();
    await it.run(inbound(), { of });
    return ((await it.wakeAt(of)) ?? 0) - from;
  };
  expect([await shows(), await shows(), await shows()]).toEqual([15_100, 15_100, 15_060]);
});

describe("the platform's word on the account", () => {
  const off: Outcome = { is: 'account-off', code: 48001, remedy: saidElsewhere('Certify it.') };

  test('"may not" switches it off for all conversations, and says the remedy loudly', async () => {
    const it = stage({ show: () => off });
    await it.run(inbound());
    expect(it.learned.rules(it.platform).mode).toBe('off');
    await it.run(inbound('b'), { of: { ...newConversation(), account: it.platform.account } });
    expect(it.platform.calls).toHaveLength(1);
    const [line] = it.log.lines.filter(({ level }) => level === 'error');
    expect(line?.message).toContain('Certify it.');
  });

  test('an accepted call of the next try switches it on again', async () => {
    const answers = [off];
    const it = stage({ show: () => answers.shift() ?? { is: 'done' } });
    await it.run(inbound());
    it.clock.set(it.clock.now() + 60_000);
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
    const platformOf: PerformDeps['platformOf'] = ({ account }) =>
      account === ill.platform.account ? ill.platform : well;
    const { run } = workOn({ ...ill, platformOf }, ill.conversation);
    for (let n = 0; n < 6; n += 1)
      await run(inbound(), { of: { ...newConversation(), account: ill.platform.account } });
    await run(inbound(), { of: newConversation() });
    expect(ill.platform.calls).toHaveLength(5);
    expect(well.calls).toHaveLength(1);
  });
});

describe('an account with as many calls in flight as it may have', () => {
  test('counts a look that waits for a place once, however often it comes', async () => {
    const it = stage();
    const waiting = new Set<string>();
    const turnAway: Shares['turnAway'] = (_, job) => 100 * waiting.add(job).size;
    const crowded = workOn({ ...it, shares: { ...atMost(0), turnAway } }, it.conversation);
    for (let come = 0; come < 3; come += 1)
      await expect(crowded.look()).rejects.toMatchObject({ waitMs: 100 });
  });

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
    await expect(it.run(inbound(), { of: third })).rejects.toBeInstanceOf(DelayedError);
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
    await it.look({ of: ending });
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
  const it = stage({
    show: () => ({ is: 'account-off', code: 48001, remedy: saidElsewhere('Certify it.') }),
  });
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
