import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createTyping, TypingError, type Message, type Typing } from '../../src/client/index.ts';
import {
  answers,
  createGate,
  isLost,
  startControl,
  staysSilent,
  waitsFor,
  type Control,
  type Fate,
} from './server.ts';

const user = '/conversations/wechat/default/u';
const message = (messageId?: string): Message => ({ channel: 'wechat', user: 'u', messageId });

interface Scene extends Control {
  typing: Typing;
  errors: TypingError[];
}

/** Without a time-out of its own it is long, for machines that are busy. */
async function startScene(timeoutMs = 10_000): Promise<Scene> {
  const control = await startControl();
  const errors: TypingError[] = [];
  const onError = (error: TypingError): void => void errors.push(error);
  return {
    ...control,
    typing: createTyping({ url: control.url, token: 'secret', timeoutMs, onError }),
    errors,
  };
}

// Assigned as it is by a bot in plain JavaScript: the client waits for nobody's promise.
const rejects: (error: TypingError) => unknown = () => Promise.reject(new Error('a broken logger'));

/** An address where nobody listens. */
async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

describe('during', () => {
  test('starts the message’s turn, returns what the function returns, and ends that turn', async () => {
    const { typing, calls, authorizations, open, arrived } = await startScene();
    const answer = await typing.during(message('m'), async () => {
      await arrived(1);
      expect(open()).toEqual(['u:turn-of-m']);
      return 'the answer';
    });
    expect(answer).toBe('the answer');
    await arrived(2);
    expect(calls).toEqual([`PUT ${user}/typing {"messageId":"m"}`, `DELETE ${user}/typing?turn=turn-of-m`]);
    expect(authorizations).toEqual(['Bearer secret', 'Bearer secret']);
    expect(open()).toEqual([]);
  });

  test('names another account, and escapes what a path cannot hold', async () => {
    const { typing, calls, arrived } = await startScene();
    const odd: Message = { channel: 'nxcloud', account: 'a/b', user: '+86 1?#%', messageId: 'wamid.x&y=' };
    await typing.during(odd, () => {});
    await arrived(2);
    expect(calls).toEqual([
      'PUT /conversations/nxcloud/a%2Fb/%2B86%201%3F%23%25/typing {"messageId":"wamid.x&y="}',
      'DELETE /conversations/nxcloud/a%2Fb/%2B86%201%3F%23%25/typing?turn=turn-of-wamid.x%26y%3D',
    ]);
  });

  test('runs the function at once, and is done with it, while keeptyping has not answered', async () => {
    const { typing, calls, next, arrived, until, open } = await startScene();
    const gate = createGate();
    next(waitsFor(gate.passed));
    let begun = false;
    const answer = typing.during(message('m'), () => {
      begun = true;
      return 7;
    });
    expect(begun).toBe(true);
    expect(await answer).toBe(7);
    await arrived(1);
    expect(calls).toHaveLength(1);
    gate.open();
    await arrived(2);
    expect(calls[1]).toBe(`DELETE ${user}/typing?turn=turn-of-m`);
    await until(() => open().length === 0);
  });

  test.each([
    {
      how: 'rejects',
      fail: () => Promise.reject(new Error('no answer today')),
    },
    {
      how: 'throws',
      fail: (): never => {
        throw new Error('no answer today');
      },
    },
  ])('a function that $how: its error passes, and the turn ends', async ({ fail }) => {
    const { typing, errors, open, arrived } = await startScene();
    await expect(typing.during(message('m'), fail)).rejects.toThrow('no answer today');
    await arrived(2);
    expect(open()).toEqual([]);
    expect(errors).toEqual([]);
  });

  test('two messages of a user: each ends its own turn', async () => {
    const { typing, open, arrived } = await startScene();
    const [first, second] = [createGate(), createGate()];
    const firstAnswer = typing.during(message('1'), () => first.passed);
    const secondAnswer = typing.during(message('2'), () => second.passed);
    await arrived(2);
    expect(open()).toEqual(['u:turn-of-1', 'u:turn-of-2']);
    second.open();
    await secondAnswer;
    await arrived(3);
    expect(open()).toEqual(['u:turn-of-1']);
    first.open();
    await firstAnswer;
    await arrived(4);
    expect(open()).toEqual([]);
  });

  test.each([{ named: 'm' }, { named: undefined }])(
    'several functions for one turn (message $named): it ends with the last of them',
    async ({ named }) => {
      const { typing, calls, open, arrived } = await startScene();
      const gates = [createGate(), createGate(), createGate()];
      const answered = gates.map((gate) => typing.during(message(named), () => gate.passed));
      await arrived(3);
      gates[1]?.open();
      gates[0]?.open();
      await Promise.all(answered.slice(0, 2));
      // A later call of the same user shows that nothing was ended before it.
      typing.resume(message());
      await arrived(4);
      expect(calls[3]).toBe(`DELETE ${user}/pause`);
      expect(open()).toHaveLength(1);
      gates[2]?.open();
      await Promise.all(answered);
      await arrived(5);
      expect(open()).toEqual([]);
    },
  );

  test('a user’s start waits for the stop before it; another user’s does not', async () => {
    const { typing, calls, next, arrived } = await startScene();
    const gate = createGate();
    next(waitsFor(Promise.resolve()), waitsFor(gate.passed));
    await typing.during(message(), () => {});
    await arrived(2);
    await typing.during(message(), () => {});
    await typing.during({ channel: 'wechat', user: 'other' }, () => {});
    await arrived(4);
    expect(calls.slice(2).every((call) => call.includes('/other/'))).toBe(true);
    gate.open();
    await arrived(6);
    expect(calls.slice(4)).toEqual([`PUT ${user}/typing {}`, `DELETE ${user}/typing?turn=by-hand-3`]);
  });
});

describe('a start that is not answered in time', () => {
  test('of a message: the message’s turn is ended', async () => {
    const { typing, calls, errors, next, open, until } = await startScene(200);
    next(staysSilent);
    await typing.during(message('m'), () => 1);
    await until(() => calls.length === 2 && open().length === 0);
    expect(calls[1]).toBe(`DELETE ${user}/typing?messageId=m`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(TypingError);
    expect(errors[0]).toMatchObject({
      message: 'start failed: no answer within 200 ms (timeoutMs)',
      order: 'start',
      status: null,
    });
  });

  test('of no message: all turns of the user are ended', async () => {
    const { typing, calls, next, open, until } = await startScene(200);
    next(staysSilent);
    await typing.during(message(), () => 1);
    await until(() => calls.length === 2 && open().length === 0);
    expect(calls[1]).toBe(`DELETE ${user}/typing`);
  });

  test('of no message, while another function of that user runs: all are ended, but after that one', async () => {
    const { typing, calls, next, arrived, until, open } = await startScene(200);
    const [lost, other] = [createGate(), createGate()];
    next(staysSilent);
    const lostAnswer = typing.during(message(), () => lost.passed);
    const otherAnswer = typing.during(message('2'), () => other.passed);
    await arrived(2);
    lost.open();
    await lostAnswer;
    typing.resume(message());
    await arrived(3);
    // Nothing was ended before it.
    expect(calls[2]).toBe(`DELETE ${user}/pause`);
    other.open();
    await otherAnswer;
    await until(() => open().length === 0);
    expect(calls.slice(3)).toEqual([`DELETE ${user}/typing`]);
  });

  test.each<{ what: string; fate: Fate; error: string }>([
    {
      what: 'the answer stops half-way',
      fate: (response) => void response.writeHead(200).write('{"turn":'),
      error: 'no answer within 200 ms',
    },
    {
      what: 'the connection breaks',
      fate: (response) => void response.destroy(),
      error: 'socket hang up',
    },
    {
      what: 'keeptyping has no Redis',
      fate: answers(503, { error: 'Redis is out of reach.' }),
      error: 'keeptyping answered 503: Redis is out of reach.',
    },
    { what: 'the answer is a page', fate: answers(200, '<html>'), error: 'names no turn: check the url' },
    {
      what: 'the answer is much too long',
      fate: answers(200, 'x'.repeat(100_000)),
      error: 'too long for keeptyping: check the url',
    },
  ])('$what: the turn may be open, so it is ended', async ({ fate, error }) => {
    const { typing, calls, errors, next, arrived } = await startScene(200);
    next(fate);
    await typing.during(message('m'), () => {});
    await arrived(2);
    expect(calls[1]).toBe(`DELETE ${user}/typing?messageId=m`);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining(error)]);
  });
});

describe('a keeptyping that refuses or is away', () => {
  test('refuses: the function runs, onError hears why, nothing else is asked', async () => {
    const { typing, calls, errors, next, arrived, until } = await startScene();
    next(answers(401, { error: 'The token is not the control token.' }));
    expect(await typing.during(message('m'), () => 'answer')).toBe('answer');
    typing.resume(message());
    await arrived(2);
    await until(() => errors.length === 1);
    expect(errors[0]).toMatchObject({
      message: 'start failed: keeptyping answered 401: The token is not the control token.',
      order: 'start',
      status: 401,
    });
    expect(calls[1]).toBe(`DELETE ${user}/pause`);
  });

  test('away: the function runs, onError hears of the start, no stop is tried that nobody needs', async () => {
    const errors: TypingError[] = [];
    const typing = createTyping({ url: await deadUrl(), onError: (error) => void errors.push(error) });
    expect(await typing.during(message(), () => 'answer')).toBe('answer');
    await typing.close();
    expect(errors.map(({ order, status }) => [order, status])).toEqual([['start', null]]);
    expect(errors[0]?.message).toContain('ECONNREFUSED');
  });

  test('away, and back before the answer is out: the turn that the push may have opened is ended', async () => {
    const [heard, errors] = [createGate(), [] as TypingError[]];
    const url = await deadUrl();
    const typing = createTyping({
      url,
      onError: (error) => {
        errors.push(error);
        heard.open();
      },
    });
    const control = await typing.during(message('m'), async () => {
      await heard.passed;
      return startControl({ port: Number(new URL(url).port) });
    });
    await control.arrived(1);
    expect(control.calls).toEqual([`DELETE ${user}/typing?messageId=m`]);
    expect(errors.map(({ order }) => order)).toEqual(['start']);
  });

  test('a stop that fails is tried twice more; a start is not', async () => {
    const { typing, calls, errors, next, arrived, open } = await startScene(500);
    next(answers(503), waitsFor(Promise.resolve()), isLost, answers(503));
    typing.start(message('m'));
    await typing.during(message('m'), () => arrived(2));
    await arrived(5);
    await typing.close();
    expect(calls.slice(2)).toEqual(Array.from({ length: 3 }, () => `DELETE ${user}/typing?turn=turn-of-m`));
    expect(open()).toEqual([]);
    expect(errors.map(({ order }) => order)).toEqual(['start']);
  });

  test('a stop that fails for good is reported once', async () => {
    const { typing, calls, errors, always } = await startScene();
    always(answers(500));
    typing.stop(message('m'));
    await typing.close();
    expect(calls).toHaveLength(3);
    expect(errors.map(({ order, status }) => [order, status])).toEqual([['stop', 500]]);
  });
});

describe('the bot’s path', () => {
  test.each<{ what: string; onError: (error: TypingError) => unknown }>([
    {
      what: 'throws',
      onError: () => {
        throw new Error('a broken logger');
      },
    },
    { what: 'rejects', onError: rejects },
  ])('an onError that $what is no matter', async ({ onError }) => {
    const typing = createTyping({ url: await deadUrl(), onError });
    expect(await typing.during(message(), () => 'answer')).toBe('answer');
    await typing.close();
  });

  test.each<{ what: string; given: unknown; error: string }>([
    { what: 'nothing', given: undefined, error: 'channel' },
    { what: 'no user', given: { channel: 'wechat' }, error: 'user' },
    { what: 'a user that climbs', given: { channel: 'wechat', user: '..' }, error: 'user' },
    { what: 'half a character', given: { channel: 'wechat', user: '\ud800' }, error: 'URI' },
    {
      what: 'a number as id',
      given: { channel: 'wechat', user: 'u', messageId: 24_000 },
      error: 'messageId',
    },
    { what: 'an empty id', given: { channel: 'wechat', user: 'u', messageId: '' }, error: 'messageId' },
  ])('$what is reported, not thrown, and calls nothing', async ({ given, error }) => {
    const { typing, errors, calls } = await startScene();
    const untyped = given as Message;
    expect(await typing.during(untyped, () => 'answer')).toBe('answer');
    typing.start(untyped);
    typing.stop(untyped);
    await typing.close();
    expect(errors.map(({ order }) => order)).toEqual(['start', 'start', 'stop']);
    expect(errors.every(({ message }) => message.includes(error))).toBe(true);
    expect(calls).toEqual([]);
  });

  test('what the bot does to its object meanwhile changes nothing', async () => {
    const { typing, calls, arrived } = await startScene();
    const own = message('m');
    await typing.during(own, () => {
      own.user = 'somebody else';
      own.messageId = 'another';
    });
    await arrived(2);
    expect(calls).toEqual([`PUT ${user}/typing {"messageId":"m"}`, `DELETE ${user}/typing?turn=turn-of-m`]);
  });
});
