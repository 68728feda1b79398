import { describe, expect, test } from 'vitest';
import { createTyping, type TypingError, type TypingOptions } from '../../src/client/index.ts';
import { answers, createGate, isLost, startControl, waitsFor, type Control } from './server.ts';

const user = '/conversations/nxcloud/sales/u';
const conversation = { channel: 'nxcloud', account: 'sales', user: 'u' } as const;

/** A client, and the errors it reports. */
function createClient({ url }: Control, options: Omit<TypingOptions, 'url'> = {}) {
  const errors: TypingError[] = [];
  const onError = (error: TypingError): void => void errors.push(error);
  return { typing: createTyping({ url, onError, timeoutMs: 10_000, ...options }), errors };
}

describe('start, stop, pause and resume', () => {
  test('are one call each, in their order, each after the answer to the one before', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    const gate = createGate();
    control.next(waitsFor(gate.passed));
    typing.start({ ...conversation, messageId: 'm' });
    typing.stop({ ...conversation, messageId: 'm' });
    typing.start(conversation);
    typing.stop(conversation);
    typing.pause(conversation);
    typing.pause(conversation, { seconds: 60 });
    typing.resume(conversation);
    await control.arrived(1);
    // Another user's call comes through meanwhile: the first user's would have, too.
    typing.start({ ...conversation, user: 'v' });
    await control.arrived(2);
    expect(control.calls[1]).toContain('/v/');
    gate.open();
    await control.arrived(8);
    expect(control.calls.toSpliced(1, 1)).toEqual([
      `PUT ${user}/typing {"messageId":"m"}`,
      `DELETE ${user}/typing?messageId=m`,
      `PUT ${user}/typing {}`,
      `DELETE ${user}/typing`,
      `PUT ${user}/pause {}`,
      `PUT ${user}/pause {"seconds":60}`,
      `DELETE ${user}/pause`,
    ]);
    await typing.close();
    expect(errors).toEqual([]);
  });

  test('a pause that fails is tried again, one that is refused is not', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    control.next(answers(503), waitsFor(Promise.resolve()), answers(400, { error: 'seconds is no number.' }));
    typing.pause(conversation);
    typing.pause(conversation, { seconds: Number.NaN });
    typing.resume(conversation);
    await typing.close();
    expect(control.calls).toHaveLength(4);
    expect(errors.map(({ message }) => message)).toEqual([
      'pause failed: keeptyping answered 400: seconds is no number.',
    ]);
  });

  test('a pause with a misspelt option is reported, and nothing is paused for ever', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    typing.pause(conversation, misspelt<object>({ second: 60 }));
    await typing.close();
    expect(control.calls).toEqual([]);
    expect(errors.map(({ message }) => message)).toEqual([
      'pause failed: second is no option: a pause knows seconds.',
    ]);
  });

  test('with a keeptyping that hangs, 32 of one user wait and further ones are dropped, said once each', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    const gate = createGate();
    control.always(waitsFor(gate.passed));
    for (let order = 0; order < 40; order += 1) typing.start(conversation);
    typing.start({ ...conversation, user: 'v' });
    await control.until(() => control.calls.some((call) => call.includes('/v/')));
    expect(errors.map(({ message }) => message)).toEqual(
      Array.from({ length: 8 }, () => 'start failed: 32 orders of this user wait already'),
    );
    gate.open();
    await control.arrived(33);
    typing.start(conversation);
    await control.arrived(34);
    await typing.close();
    expect(errors).toHaveLength(8);
  });

  test('with a keeptyping that hangs, all users share 50 connections', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control, { timeoutMs: 20_000 });
    const gate = createGate();
    control.always(waitsFor(gate.passed));
    const users = Array.from({ length: 200 }, (_, index) => ({ ...conversation, user: `u${index}` }));
    users.forEach((one) => typing.start(one));
    await control.arrived(50);
    // A call by another client: a further one of the first would have arrived before it.
    const other = createClient(control);
    other.typing.start(conversation);
    await control.arrived(51);
    expect(control.calls.at(-1)).toContain(user);
    expect(control.connections()).toBe(51);
    gate.open();
    await Promise.all([typing.close(), other.typing.close()]);
    expect(control.calls).toHaveLength(201);
    expect(errors).toEqual([]);
  });
});

describe('the connection', () => {
  test('is kept: many calls, one connection', async () => {
    const control = await startControl();
    const { typing } = createClient(control);
    for (let message = 1; message <= 10; message += 1) {
      await typing.during({ ...conversation, messageId: `${message}` }, () => {});
      await control.arrived(2 * message);
    }
    expect(control.connections()).toBe(1);
  });

  test('is opened anew when the other side closes it just as a call goes out', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    typing.start(conversation);
    await control.arrived(1);
    control.next((response) => void response.destroy());
    typing.start(conversation);
    await control.arrived(3);
    await typing.close();
    expect(control.connections()).toBe(2);
    expect(errors).toEqual([]);
  });

  test('leads to a keeptyping behind a path', async () => {
    const control = await startControl({ path: '/typing-service' });
    const { typing } = createClient({ ...control, url: `${control.url}/` });
    typing.stop(conversation);
    await typing.close();
    expect(control.calls).toEqual([`DELETE /typing-service${user}/typing`]);
    expect(control.authorizations).toEqual([undefined]);
  });

  test('follows no redirect', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    control.next((response) => void response.writeHead(302, { location: '/elsewhere' }).end());
    typing.start(conversation);
    await typing.close();
    expect(control.calls).toHaveLength(1);
    expect(errors[0]).toMatchObject({ status: 302 });
  });
});

describe('close', () => {
  test('lets waiting orders out, ends what runs, and refuses what comes later', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control);
    const gate = createGate();
    const answer = typing.during({ ...conversation, messageId: 'm' }, () => gate.passed);
    typing.pause(conversation);
    await Promise.all([typing.close(), typing.close()]);
    expect(control.calls).toEqual([
      `PUT ${user}/typing {"messageId":"m"}`,
      `PUT ${user}/pause {}`,
      `DELETE ${user}/typing?turn=turn-of-m`,
    ]);
    gate.open();
    await answer;
    expect(await typing.during(conversation, () => 'answer')).toBe('answer');
    typing.stop(conversation);
    expect(control.calls).toHaveLength(3);
    expect(errors.map(({ message }) => message)).toEqual([
      'start failed: the client is closed',
      'stop failed: the client is closed',
    ]);
  });

  test('closes its connections', async () => {
    const control = await startControl();
    const { typing } = createClient(control);
    typing.start(conversation);
    await typing.close();
    expect(control.connections()).toBe(1);
    await control.until(() => control.connected() === 0);
  });

  test('gives up after 5 s', async () => {
    const control = await startControl();
    const { typing, errors } = createClient(control, { timeoutMs: 60_000 });
    control.always(isLost);
    typing.stop(conversation);
    typing.stop({ ...conversation, user: 'v' });
    await typing.close();
    await control.until(() => control.connected() === 0);
    expect(control.calls).toHaveLength(2);
    expect(errors.length).toBeLessThanOrEqual(2);
  });
});

/** What a bot in plain JavaScript may pass. */
function misspelt<Given extends object>(options: Given): Given {
  return options;
}

test.each<{ what: string; options: TypingOptions; error: RegExp }>([
  { what: 'no url', options: { url: '' }, error: /^url is no http\(s\) URL: pass the address of keeptyping/ },
  { what: 'another protocol', options: { url: 'redis://127.0.0.1' }, error: /^url is no/ },
  { what: 'a password', options: { url: 'http://a:hidden@127.0.0.1' }, error: /^url holds more/ },
  { what: 'a line end', options: { url: 'http://127.0.0.1', token: 'hidden\n' }, error: /^token holds/ },
  {
    what: 'no time',
    options: { url: 'http://127.0.0.1', timeoutMs: 0 },
    error: /^timeoutMs is out of range/,
  },
  {
    what: 'a time that is no number',
    options: { url: 'http://a', timeoutMs: Number.NaN },
    error: /^timeoutMs/,
  },
  {
    what: 'a misspelt option',
    options: misspelt({ url: 'http://a', timeoutMS: 5 }),
    error: /^timeoutMS is no option: createTyping knows url, token, timeoutMs and onError\.$/,
  },
])('a client with $what is refused when it is made, and no secret is told', ({ options, error }) => {
  expect(() => createTyping(options)).toThrow(error);
  expect(() => createTyping(options)).not.toThrow('hidden');
});
