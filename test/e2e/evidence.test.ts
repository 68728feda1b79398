/** Every way in which a turn of a bot that only acknowledges can end, from the push to the phone. */
import { Queue, Worker } from 'bullmq';
import { describe, expect, test } from 'vitest';
import { openRedis } from '../../src/redis/address.ts';
import type { Phone } from '../../src/simulator/index.ts';
import {
  asOperator,
  gatewayOf,
  longHold,
  markIs as is,
  quick,
  useStage,
  wideWindow,
  type Stage,
  type StageOptions,
} from './stage.ts';

const { open, now } = useStage();

const openid = 'oEvidence';
const phoneNumber = '8613800138000';

/** The bot acknowledges, and is trusted to end its turns some other way. */
const renewing = { ...wideWindow.env, WECHAT_AFTER_ACK: 'renew' };

/** How the turns that ended did, in their order. */
function ends({ log }: Stage): string[] {
  return log.lines.flatMap(({ message, fields }) =>
    message === 'turn ended' && 'by' in fields ? [String(fields.by)] : [],
  );
}

async function expectEnds(stage: Stage, ...by: string[]): Promise<void> {
  await expect.poll(() => ends(stage)).toEqual(by);
}

function seen(phone: Phone): string[] {
  return phone.marks
    .filter(({ what }) => !['call', 'read'].includes(what))
    .map(({ what, detail }) => (what === 'typing-off' ? `off:${detail}` : what));
}

/** The control API's path to the user. */
function at(stage: Stage, path = '', user = openid): string {
  return `${stage.webs[0]?.url}/conversations/wechat/default/${user}${path}`;
}

/** The next message that is sent to the user takes a while. */
function slowSend({ simulator }: Stage): void {
  simulator.wechat.faults.set('/cgi-bin/message/custom/send', { latencyMs: 300 }, 1);
}

function received(phone: Phone): string[] {
  return phone.marks.filter(({ what }) => what === 'received').map(({ detail }) => detail);
}

/** What the control API says of the user. */
async function read(stage: Stage, user?: string): Promise<Record<string, unknown>> {
  const answer = await fetch(at(stage, '', user), asOperator);
  return (await answer.json()) as Record<string, unknown>;
}

/** The bot makes a typing call itself. Resolves with WeChat's code. */
async function type(stage: Stage, command: 'Typing' | 'CancelTyping'): Promise<number> {
  const { simulator } = stage;
  const base = `${gatewayOf(stage)}/wechat/default`;
  const { appId: appid, appSecret: secret } = simulator.wechat.options;
  const credential = { grant_type: 'client_credential', appid, secret };
  const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${base}${path}`, { method: 'POST', body: JSON.stringify(body) });
    return (await answer.json()) as Record<string, unknown>;
  };
  const { access_token } = await post('/cgi-bin/stable_token', credential);
  const path = `/cgi-bin/message/custom/typing?access_token=${String(access_token)}`;
  return Number((await post(path, { touser: openid, command }))['errcode']);
}

/** With a hash tag, as BullMQ wants it on a Cluster. */
const botQueue = { prefix: '{bull}', env: { BOT_QUEUE: 'answers', BOT_QUEUE_PREFIX: '{bull}' } };

/** The bot's own BullMQ queue, with its worker. */
async function openQueue(stage: Stage, work: () => Promise<unknown>, options: object = {}) {
  const { prefix } = botQueue;
  const address = { url: stage.redis.url, rejectUnauthorized: true, key: `${prefix}:answers:events` };
  const connection = openRedis(address, { maxRetriesPerRequest: null });
  const queue = new Queue('answers', { connection, prefix });
  const worker = new Worker('answers', work, { connection, prefix });
  await worker.waitUntilReady();
  return {
    add: (data: object, more: object = {}) => queue.add('answer', data, { ...options, ...more }),
    close: async () => {
      await Promise.all([worker.close(true), queue.close()]);
      connection.disconnect();
    },
  };
}

async function openBehindGateway(options: StageOptions = {}): Promise<Stage> {
  const env = { ...renewing, ...options.env };
  const stage = await open({ ...wideWindow, ...options, env });
  const { wechat, nxcloud } = stage.simulator;
  const gateway = gatewayOf(stage);
  stage.bot.set({
    style: 'api',
    ...options.bot,
    wechat: { ...wechat.options, apiBase: `${gateway}/wechat/default` },
    nxcloud: { ...nxcloud.options, apiBase: `${gateway}/nxcloud/default` },
  });
  return stage;
}

describe('a message through the gateway', () => {
  test('ends the turn on WeChat, and nothing shows after it', async () => {
    const stage = await openBehindGateway({ bot: { thinkMs: 1_000 } });
    const { simulator, bot } = stage;
    const phone = simulator.wechat.phone(openid);
    await simulator.wechat.push({ user: openid, text: 'hi' });
    const answer = await phone.next(is('received'));
    await expectEnds(stage, 'gateway');
    expect(answer.detail).toBe('echo: hi');
    expect(bot.sends).toMatchObject([{ user: openid, code: 0 }]);
    expect(seen(phone)).toEqual(['sent', 'typing-on', 'off:expired', 'typing-on', 'off:message', 'received']);
    expect(phone.ghost(answer.at)).toBe(0);
  });

  test('ends it on WhatsApp', async () => {
    const stage = await openBehindGateway({
      bot: { thinkMs: 300 },
      nxcloud: { rules: { statuses: [] } },
    });
    const { simulator } = stage;
    await simulator.nxcloud.push({ user: phoneNumber, text: 'hi' });
    await simulator.nxcloud.phone(phoneNumber).next(is('received'));
    await expectEnds(stage, 'gateway');
  });

  test('and the `sent` status of the same message end one turn, whichever comes first', async () => {
    const stage = await openBehindGateway({
      bot: { thinkMs: (text) => (text === 'one' ? 300 : 1_500) },
      env: { NXCLOUD_SEND_ENDS: 'oldest' },
    });
    const { simulator } = stage;
    const phone = simulator.nxcloud.phone(phoneNumber);
    await simulator.nxcloud.push({ user: phoneNumber, text: 'one' });
    await simulator.nxcloud.push({ user: phoneNumber, text: 'two' });
    await phone.next(is('received', 'echo: one'));
    await expect.poll(() => ends(stage).length).toBe(1);
    await expect.poll(() => stage.bot.calls.length).toBe(4);
    await phone.next(is('received', 'echo: two'));
    await expect.poll(() => ends(stage).length).toBe(2);
    const [, second] = stage.log.lines.filter(({ message }) => message === 'turn ended');
    expect(second?.fields).toMatchObject({ ms: expect.toSatisfy((ms: number) => ms >= 1_400) });
  });

  test('teaches the account that its turns are seen to end', async () => {
    const stage = await openBehindGateway({ bot: { thinkMs: 1_200 }, env: { WECHAT_AFTER_ACK: 'auto' } });
    const { simulator } = stage;
    const phone = simulator.wechat.phone(openid);
    await simulator.wechat.push({ user: openid, text: 'one' });
    await phone.next(is('received', 'echo: one'));
    await expectEnds(stage, 'gateway');
    // The web has learned it; a worker reads every few seconds what others have.
    await stage.workers[0]?.parts.learned.refresh();
    await simulator.wechat.push({ user: openid, text: 'two' });
    await phone.next(is('received', 'echo: two'));
    const shows = (text: string): number => {
      const marks = seen(phone);
      const from = marks.lastIndexOf('sent');
      const part = text === 'one' ? marks.slice(0, from) : marks.slice(from);
      return part.filter((mark) => mark === 'typing-on').length;
    };
    expect([shows('one'), shows('two')]).toEqual([1, 2]);
  });

  test('that the platform refuses ends nothing, and says so by name', async () => {
    const stage = await openBehindGateway({ bot: { thinkMs: 300 } });
    const { simulator, bot, log } = stage;
    simulator.wechat.faults.set('/cgi-bin/message/custom/send', { code: 45047 }, 1);
    const phone = simulator.wechat.phone(openid);
    await simulator.wechat.push({ user: openid, text: 'hi' });
    await expect.poll(() => bot.sends).toMatchObject([{ user: openid, code: 45047 }]);
    await phone.next(is('typing-off', 'expired'));
    await expect.poll(() => seen(phone).filter((mark) => mark === 'typing-on').length).toBe(2);
    expect(ends(stage)).toEqual([]);
    expect(log.lines.some(({ fields }) => 'code' in fields && fields.code === 45047)).toBe(true);
  });

  test('waits for a typing call in flight, which then does not outlive it', async () => {
    const stage = await openBehindGateway({ bot: { thinkMs: 0 } });
    const { simulator } = stage;
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { latencyMs: 250 }, 1);
    const phone = simulator.wechat.phone(openid);
    await simulator.wechat.push({ user: openid, text: 'hi' });
    const answer = await phone.next(is('received'));
    await expectEnds(stage, 'gateway');
    expect(phone.ghost(answer.at)).toBe(0);
  });

  test('passes while Redis is away', async () => {
    const stage = await openBehindGateway();
    const { simulator, redis } = stage;
    await simulator.wechat.push({ user: openid, text: 'before' });
    await simulator.wechat.phone(openid).next(is('received'));
    await redis.stop();
    const base = `${gatewayOf(stage)}/wechat/default`;
    const token = await fetch(`${base}/cgi-bin/stable_token`, {
      method: 'POST',
      body: JSON.stringify({
        grant_type: 'client_credential',
        appid: simulator.wechat.options.appId,
        secret: simulator.wechat.options.appSecret,
      }),
    });
    const { access_token } = (await token.json()) as { access_token: string };
    const sent = await fetch(`${base}/cgi-bin/message/custom/send?access_token=${access_token}`, {
      method: 'POST',
      body: JSON.stringify({ touser: openid, msgtype: 'text', text: { content: 'without Redis' } }),
    });
    expect(await sent.json()).toMatchObject({ errcode: 0 });
    await simulator.wechat.phone(openid).next(is('received', 'without Redis'));
  });
});

describe("the bot's own indicator, through the gateway", () => {
  test('switched off stays off until the answer', async () => {
    const stage = await openBehindGateway({ bot: { style: 'silent' } });
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await phone.next(is('typing-on'));
    expect(await type(stage, 'CancelTyping')).toBe(0);
    const cancelled = await phone.next(is('typing-off', 'cancelled'));
    await expect.poll(() => Date.now()).toBeGreaterThan(cancelled.at + quick.wechat.lifetime);
    expect(seen(phone)).toEqual(['sent', 'typing-on', 'off:cancelled']);
  });
});

describe("the bot's own queue", () => {
  test.each([
    ['by its job id', (msgId: string) => [{}, { jobId: `msg-${msgId}`, removeOnComplete: true }] as const],
    ['by the message that its data names', (messageId: string) => [{ messageId }, {}] as const],
    [
      'by the user that its data names',
      () => [{ channel: 'wechat', account: 'default', user: openid }, { removeOnComplete: true }] as const,
    ],
  ] as const)('ends the turn when the job completes: %s', async (_, jobOf) => {
    const stage = await open({
      ...wideWindow,
      bot: { style: 'silent' },
      env: { ...renewing, ...botQueue.env },
    });
    const queue = await openQueue(stage, async () => {
      await stage.simulator.wechat.phone(openid).next(is('typing-on'));
    });
    try {
      const { msgId } = await stage.simulator.wechat.push({ user: openid, text: 'hi' });
      const [data, options] = jobOf(msgId ?? '');
      await queue.add(data, options);
      await expectEnds(stage, 'queue');
      await stage.simulator.wechat.phone(openid).next(is('typing-off', 'cancelled'));
    } finally {
      await queue.close();
    }
  });

  test('a job that fails for good ends it, one that is tried again does not', async () => {
    const stage = await open({
      ...wideWindow,
      bot: { style: 'silent' },
      env: { ...renewing, ...botQueue.env },
    });
    let tries = 0;
    const queue = await openQueue(stage, async () => {
      tries += 1;
      expect(ends(stage)).toEqual([]);
      throw new Error('the model is away');
    });
    try {
      const { msgId } = await stage.simulator.wechat.push({ user: openid, text: 'hi' });
      await stage.simulator.wechat.phone(openid).next(is('typing-on'));
      await queue.add({}, { jobId: `msg-${msgId}`, attempts: 3, backoff: 100 });
      await expectEnds(stage, 'queue');
      expect(tries).toBe(3);
    } finally {
      await queue.close();
    }
  });
});

describe('the header X-Typing', () => {
  test('none: no answer will come, and the indicator goes', async () => {
    const stage = await open({ ...wideWindow, bot: { style: 'silent', typing: 'none' }, env: renewing });
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await expectEnds(stage, 'bot');
    await expect.poll(() => phone.litAt(Date.now())).toBe(false);
  });

  test('keep: typing goes on although the bot has acknowledged', async () => {
    const stage = await open({
      ...wideWindow,
      bot: { style: 'silent', typing: 'keep' },
      env: { ...wideWindow.env, WECHAT_AFTER_ACK: 'keep' },
    });
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await expect.poll(() => seen(phone).filter((mark) => mark === 'typing-on').length).toBe(2);
  });

  test('keep with a message: the message goes out, and typing goes on', async () => {
    const stage = await open({
      ...wideWindow,
      bot: { typing: 'keep' },
      env: { ...wideWindow.env, WECHAT_AFTER_ACK: 'keep' },
    });
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await phone.next(is('received'));
    await expect.poll(() => phone.litAt(Date.now())).toBe(true);
    expect(ends(stage)).toEqual([]);
  });

  test('done: the answer is out', async () => {
    const stage = await open({ ...wideWindow, bot: { style: 'silent', typing: 'done' }, env: renewing });
    await stage.simulator.nxcloud.push({ user: phoneNumber, text: 'hi' });
    await expectEnds(stage, 'bot');
    expect(now().bot.calls).toHaveLength(1);
  });
});

describe('handoff', () => {
  test('transfer_customer_service ends the turn and pauses; the closed session resumes', async () => {
    // Where the bot is quicker than the worker, its word comes before the turn is open.
    const stage = await open({ ...longHold, bot: { style: 'transfer', thinkMs: 1_000 } });
    const { simulator } = stage;
    const phone = simulator.wechat.phone(openid);
    await simulator.wechat.push({ user: openid, text: 'a human, please' });
    await expectEnds(stage, 'handoff');
    stage.bot.set({ style: 'silent' });
    await simulator.wechat.push({ user: openid, text: 'hello?' });
    const event = (Event: string) =>
      simulator.wechat.push({ user: openid, type: 'event', fields: { Event, KfAccount: 'anna@shop' } });
    await event('kf_close_session');
    const shown = phone.marks.filter(({ what }) => what === 'typing-on').length;
    await simulator.wechat.push({ user: openid, text: 'thanks, bot' });
    await expect.poll(() => phone.marks.filter(({ what }) => what === 'typing-on').length).toBe(shown + 1);
  });

  test("a human's answer from the phone ends the turn and pauses", async () => {
    const stage = await open({ bot: { style: 'silent' } });
    const { simulator } = stage;
    const phone = simulator.nxcloud.phone(phoneNumber);
    const business = simulator.nxcloud.options.businessPhone;
    await simulator.nxcloud.push({ user: phoneNumber, text: 'hi' });
    await phone.next(is('typing-on'));
    // A human who answers before the bot has acknowledged takes the conversation over.
    const conversation = `${stage.webs[0]?.url}/conversations/nxcloud/default/${phoneNumber}`;
    const phase = async (): Promise<unknown> => {
      const said = (await (await fetch(conversation, asOperator)).json()) as { turns: { phase: string }[] };
      return said.turns[0]?.phase;
    };
    await expect.poll(phase).toBe('acknowledged');
    const timestamp = String(Math.floor(Date.now() / 1000));
    const echo = { from: business, to: phoneNumber, id: 'wamid.echo', timestamp, type: 'text' };
    await simulator.nxcloud.pushBody(
      JSON.stringify({
        field: 'smb_message_echoes',
        business_phone: business,
        value: { message_echoes: [echo] },
      }),
    );
    await expectEnds(stage, 'echo');
    const calls = simulator.nxcloud.calls.length;
    await simulator.nxcloud.push({ user: phoneNumber, text: 'thanks, Anna' });
    await expect.poll(() => stage.bot.calls.length).toBe(3);
    expect(simulator.nxcloud.calls).toHaveLength(calls);
  });
});

describe('the interim text', () => {
  test('reopens the window of whoever waits longer, once', async () => {
    const stage = await open({
      bot: { thinkMs: 4_000 },
      env: { WECHAT_INTERIM: JSON.stringify({ text: 'still thinking' }) },
    });
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    const interim = await phone.next(is('received', 'still thinking'));
    const answer = await phone.next(is('received', 'echo: hi'));
    await expectEnds(stage, 'passive-reply');
    expect(received(phone)).toEqual(['still thinking', 'echo: hi']);
    expect(phone.cover(interim.at, interim.at + quick.wechat.lifetime)).toBeGreaterThan(0.5);
    expect(phone.ghost(answer.at)).toBe(0);
  });
});

describe('an interim text that is under way when the answer comes', () => {
  const interim = { WECHAT_INTERIM: JSON.stringify({ text: 'still thinking', after: 0.3 }) };
  test('comes before a late one', async () => {
    const stage = await open({ bot: { thinkMs: 450 }, env: interim });
    slowSend(stage);
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await phone.next(is('received', 'echo: hi'));
    expect(received(phone)).toEqual(['still thinking', 'echo: hi']);
  });

  test('comes before one through the gateway', async () => {
    const stage = await openBehindGateway({ bot: { thinkMs: 450 }, env: interim });
    slowSend(stage);
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await phone.next(is('received', 'echo: hi'));
    expect(received(phone)).toEqual(['still thinking', 'echo: hi']);
  });
});

describe('the control API', () => {
  test('ends the turn that it names, and says afterwards what ended it', async () => {
    const stage = await open({ ...wideWindow, bot: { style: 'silent' }, env: renewing });
    const phone = stage.simulator.wechat.phone(openid);
    const { msgId } = await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await phone.next(is('typing-on'));
    await expect.poll(() => read(stage)).toMatchObject({ dark: null, lastMessageId: msgId });
    const stopped = await fetch(at(stage, `/typing?messageId=${msgId}`), { ...asOperator, method: 'DELETE' });
    expect(stopped.status).toBe(204);
    await expectEnds(stage, 'control');
    await phone.next(is('typing-off', 'cancelled'));
    await fetch(at(stage, `/typing?messageId=${msgId}`), { ...asOperator, method: 'DELETE' });
    expect(await read(stage)).toMatchObject({
      turns: [],
      lastEnded: { by: 'control' },
      dark: { reason: 'nobody_waits' },
    });
    expect(ends(stage)).toEqual(['control']);
  });

  test('starts typing for a message that came another way', async () => {
    const stage = await open({ bot: { style: 'silent' } });
    const { simulator } = stage;
    const phone = simulator.wechat.phone(openid);
    simulator.wechat.connect(`${stage.bot.url}/elsewhere`);
    const { msgId } = await simulator.wechat.push({ user: openid, text: 'hi' });
    const started = await fetch(at(stage, '/typing'), {
      method: 'PUT',
      body: JSON.stringify({ messageId: msgId }),
      headers: { ...asOperator.headers, 'content-type': 'application/json' },
    });
    expect(await started.json()).toEqual({ turn: `${openid}-${msgId}` });
    await phone.next(is('typing-on'));
  });

  test('pauses: what the user then writes shows nothing, and is explained', async () => {
    const stage = await open({ bot: { style: 'silent' } });
    await fetch(at(stage, '/pause'), { ...asOperator, method: 'PUT' });
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await expect.poll(async () => (await read(stage))['dark']).toMatchObject({ reason: 'paused' });
    expect(stage.simulator.wechat.calls.filter(({ path }) => path.endsWith('/typing'))).toEqual([]);
    await fetch(at(stage, '/pause'), { ...asOperator, method: 'DELETE' });
    await stage.simulator.wechat.push({ user: openid, text: 'hi again' });
    await stage.simulator.wechat.phone(openid).next(is('typing-on'));
  });

  test('explains why nothing shows', async () => {
    const stage = await open({
      bot: { style: 'silent' },
      env: { WECHAT_AFTER_ACK: 'keep' },
    });
    const { simulator } = stage;
    await simulator.wechat.push({ user: openid, text: 'hi' });
    await simulator.wechat.phone(openid).next(is('typing-off', 'expired'));
    await expect.poll(() => read(stage)).toMatchObject({ dark: { reason: 'acknowledged' } });
    await simulator.wechat.push({ user: 'oSubscriber', type: 'event', fields: { Event: 'subscribe' } });
    await expect
      .poll(async () => (await read(stage, 'oSubscriber'))['dark'])
      .toMatchObject({ reason: 'event_kind' });
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { code: 48001 });
    await simulator.wechat.push({ user: 'oRefused', text: 'hi' });
    await expect
      .poll(async () => (await read(stage, 'oRefused'))['dark'])
      .toMatchObject({ reason: 'no_permission', code: 48001 });
    await stage.redis.stop();
    expect(await read(stage)).toMatchObject({ dark: { reason: 'redis_down' } });
  });

  test('forgets a user', async () => {
    const stage = await open({ ...wideWindow, bot: { style: 'silent' }, env: renewing });
    const phone = stage.simulator.wechat.phone(openid);
    await stage.simulator.wechat.push({ user: openid, text: 'hi' });
    await phone.next(is('typing-on'));
    await fetch(at(stage), { ...asOperator, method: 'DELETE' });
    await phone.next(is('typing-off', 'cancelled'));
    const shards = stage.webs.flatMap(({ parts }) => parts.shards.all());
    const named = () =>
      Promise.all(shards.map(({ connections }) => connections.fast.keys(`*state:*${openid}*`)));
    await expect.poll(async () => (await named()).flat()).toEqual([]);
    expect(await read(stage)).toMatchObject({ lastMessageId: null, lastInteractionAt: null });
  });
});
