import { describe, expect, test } from 'vitest';
import { bot, createJournal, nxcloud, passiveReply, wechat } from '../http/scene.ts';
import { createGate, linesOf, utf8 } from '../http/wire.ts';
import type { ServedBot } from '../../src/core/roster.ts';
import { type Answer, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { createDirect } from '../../src/replies/direct.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

const push = { method: 'POST', rawQuery: 'a=1', headers: [['X-A', '1']] as const, body: utf8('<xml/>') };
const failing = (status: number): Answer => ({ status, headers: [], body: utf8('secret') });
const refused = new NoAnswer('ECONNREFUSED', { begun: false });
const reset = new NoAnswer('ECONNRESET', { begun: true });
const timeout = new NoAnswer('no answer within 5000 ms', { begun: true, timedOut: true });

/** A bot that answers by a script, and how long was paused between its calls. */
function directWith(script: readonly (Answer | Error | Promise<Answer>)[]) {
  const requests: OutboundRequest[] = [];
  const log = recordLog();
  const clock = handClock();
  const send = async (request: OutboundRequest): Promise<Answer> => {
    const step = script[requests.length];
    requests.push(request);
    if (step === undefined) throw new Error('called more often than the script foresees');
    if (step instanceof Error) throw step;
    return step;
  };
  return { direct: createDirect({ send, clock, log }), requests, pauses: clock.slept, log };
}

const ask = (
  { direct }: ReturnType<typeof directWith>,
  { key = 'k', retry = 'safe' }: { key?: string; retry?: ServedBot['retry'] } = {},
) => direct.ask(wechat(), { ...bot, retry }, { key, push });

describe('asking the bot', () => {
  test('is one call for the repeats that meet', async () => {
    const gate = createGate<Answer>();
    const world = directWith([gate.passed]);
    const [one, two] = [ask(world), ask(world)];
    gate.open(passiveReply);
    expect(await one.answer).toBe(passiveReply);
    expect(await two.answer).toBe(passiveReply);
    expect(await ask(world).answer).toBe(passiveReply);
    expect(world.requests).toHaveLength(1);
  });

  test('is a call of its own for another push, and another account’s', async () => {
    const world = directWith([passiveReply, passiveReply, passiveReply]);
    await ask(world).answer;
    await ask(world, { key: 'other' }).answer;
    await world.direct.ask(wechat({ account: { name: 'other' } }), bot, { key: 'k', push }).answer;
    expect(world.requests).toHaveLength(3);
  });

  test('counts its tries, and pauses between them', async () => {
    const world = directWith([refused, failing(503), passiveReply]);
    expect(await ask(world).answer).toBe(passiveReply);
    expect(world.requests.map(({ headers }) => linesOf(headers, 'x-keeptyping-attempt'))).toEqual([
      ['1'],
      ['2'],
      ['3'],
    ]);
    expect(world.pauses).toEqual([1_000, 1_000]);
    expect(world.log.lines).toEqual([]);
  });

  test('ends after three tries, and says why without the bot’s words', async () => {
    const world = directWith([refused, refused, failing(502)]);
    expect(await ask(world).answer).toBe(null);
    expect(world.log.lines).toMatchObject([
      { level: 'error', fields: { push: 'wechat/default/k', attempt: 3, reason: 'status 502' } },
    ]);
    expect(JSON.stringify(world.log.lines)).not.toContain('secret');
  });

  test.each([
    ['safe', 'a refused connection', refused, 2],
    ['safe', '502', failing(502), 2],
    ['safe', '503', failing(503), 2],
    ['safe', 'a reset', reset, 1],
    ['safe', '500', failing(500), 1],
    ['safe', '504', failing(504), 1],
    ['safe', '404', failing(404), 1],
    ['safe', 'a timeout', timeout, 1],
    ['always', 'a reset', reset, 2],
    ['always', '500', failing(500), 2],
    ['always', '504', failing(504), 2],
    ['always', '404', failing(404), 1],
    ['always', 'a timeout', timeout, 1],
    ['never', 'a refused connection', refused, 1],
    ['never', '503', failing(503), 1],
  ] as const)('with retries “%s” after %s', async (retry, _, fault, calls) => {
    const world = directWith([fault, passiveReply]);
    expect(await ask(world, { retry }).answer).toBe(calls === 2 ? passiveReply : null);
    expect(world.requests).toHaveLength(calls);
  });

  test('rejects with what is no fault of the bot’s, and harms no other push', async () => {
    const world = directWith([new TypeError('a bug'), passiveReply]);
    await expect(ask(world).answer).rejects.toThrow('a bug');
    await world.direct.idle();
    expect(await ask(world, { key: 'other' }).answer).toBe(passiveReply);
  });
});

describe('an answer', () => {
  test('is the newest delivery’s to bring', () => {
    const world = directWith([passiveReply]);
    const one = ask(world);
    expect(one.isOurs()).toBe(true);
    const two = ask(world);
    expect([one.isOurs(), two.isOurs()]).toEqual([false, true]);
    expect([one.take(), two.take(), two.take()]).toEqual([false, true, false]);
  });

  test('that was taken is no later delivery’s', () => {
    const world = directWith([passiveReply]);
    expect(ask(world).take()).toBe(true);
    const later = ask(world);
    expect([later.isOurs(), later.take()]).toEqual([false, false]);
  });
});

describe('sending late', () => {
  test('sends the message', async () => {
    const journal = createJournal();
    expect(await directWith([]).direct.sendLate(wechat({ journal }), 'openid1', passiveReply)).toBe(true);
    expect(journal.of('sent')).toEqual([
      { is: 'sent', body: { touser: 'openid1', msgtype: 'text', text: { content: '慢慢来' } } },
    ]);
  });

  test('has nothing to do for an acknowledgement, and where webhook answers hold no message', async () => {
    const journal = createJournal();
    const empty = { ...passiveReply, body: utf8('success') };
    const { direct, log } = directWith([]);
    expect(await direct.sendLate(wechat({ journal }), 'openid1', empty)).toBe(true);
    expect(await direct.sendLate(nxcloud(), '8613', passiveReply)).toBe(true);
    expect(journal.entries).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test('says what was refused, what cannot be sent, and when nobody is named', async () => {
    const { direct, log } = directWith([]);
    const transfer = utf8('<xml><MsgType>transfer_customer_service</MsgType></xml>');
    const refusing = wechat({ sends: { errcode: 48001 } });
    expect(await direct.sendLate(refusing, 'openid1', passiveReply)).toBe(false);
    expect(await direct.sendLate(wechat(), 'openid1', { ...passiveReply, body: transfer })).toBe(false);
    expect(await direct.sendLate(wechat(), null, passiveReply)).toBe(false);
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { is: 'refused', code: 48001 } },
      { level: 'error', fields: { is: 'impossible' } },
      { level: 'error', fields: { channel: 'wechat', account: 'default' } },
    ]);
  });
});

describe('idle', () => {
  test('waits for the bot, and for what is sent late', async () => {
    const gate = createGate<Answer>();
    const world = directWith([gate.passed]);
    const order: string[] = [];
    const { answer } = ask(world);
    const bring = async (): Promise<void> => {
      await answer;
      order.push('answered');
      await world.direct.sendLate(wechat(), 'openid1', passiveReply);
      order.push('sent');
    };
    const bringing = bring();
    const idle = world.direct.idle().then(() => order.push('idle'));
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    gate.open(passiveReply);
    await Promise.all([bringing, idle]);
    expect(order).toEqual(['answered', 'sent', 'idle']);
  });

  test('is so at once when nothing is under way, failures included', async () => {
    const world = directWith([refused, refused, refused]);
    await expect(world.direct.idle()).resolves.toBeUndefined();
    await ask(world).answer;
    await expect(world.direct.idle()).resolves.toBeUndefined();
  });
});
