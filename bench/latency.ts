import type { Mark } from '../src/simulator/index.ts';
import { openSite, type Site } from '../test/chaos/processes.ts';
import { latencies, ms, percent, wait, type Row } from './measure.ts';

const typingPath = '/cgi-bin/message/custom/typing';
const received = (mark: Mark): boolean => mark.what === 'received';

/** A push is received, a typing request leaves: web and worker apart, an idle machine, 20 messages a second. */
export async function firstTyping(redisUrl: string): Promise<Row[]> {
  const site = await openSite({ redisUrl, bot: { thinkMs: 600 } });
  await site.web();
  await site.worker();
  await one(site, 'warm');
  const users = Array.from({ length: 400 }, (_, index) => `oFirst_${index}`);
  const pushes: Promise<unknown>[] = [];
  for (const user of users) {
    pushes.push(site.simulator.wechat.push({ user, text: 'hi' }));
    await wait(50);
  }
  await Promise.all(pushes);
  await Promise.all(users.map((user) => site.simulator.wechat.phone(user).next(received)));
  const waits = users.map((user) => {
    const sent =
      site.simulator.wechat.phone(user).marks.find(({ what }) => what === 'sent')?.at ?? Number.NaN;
    const call =
      site.simulator.wechat.calls.find((each) => each.user === user && each.path === typingPath)?.at ??
      Number.NaN;
    return call - sent;
  });
  await site.close();
  const { p50, p99 } = latencies(waits);
  return [
    {
      what: 'push sent → typing request received, both hops included (400 pushes, 20 a second)',
      measured: `p50 ${ms(p50)}, p99 ${ms(p99)}`,
      floor: 'p50 ≤ 8 ms, p99 ≤ 30 ms',
      met: p50 <= 8 && p99 <= 30,
    },
  ];
}

async function one(site: Site, user: string): Promise<void> {
  await site.simulator.wechat.push({ user, text: 'hi' });
  await site.simulator.wechat.phone(user).next(received);
}

/** 1,000 open turns, renewed every 5 s, on a Redis with its own defaults. */
export async function wakeUps(redisUrl: string): Promise<Row[]> {
  const rules = { lifetime: 5_000, window: 120_000 };
  const margin = 60;
  const env = {
    WECHAT_RULES: JSON.stringify({ ...rules, renewMargin: margin, showsPerMinute: 60 }),
    REPLY_CONCURRENCY: '2000',
    LOG_LEVEL: 'debug',
  };
  const site = await openSite({ redisUrl, env, wechat: { rules }, bot: { thinkMs: 45_000 } });
  await site.web();
  const worker = await site.worker();
  const users = Array.from({ length: 1_000 }, (_, index) => `oWake_${index}`);
  for (const user of users) {
    void site.simulator.wechat.push({ user, text: 'hi' });
    await wait(10);
  }
  await wait(25_000);
  const late = [...worker.output().matchAll(/"lateMs":(-?\d+)/g)].map(([, value]) => Number(value));
  const shows = users.flatMap((user) => {
    const calls = site.simulator.wechat.calls.filter(
      (each) => each.user === user && each.path === typingPath,
    );
    return calls
      .slice(1)
      .map(({ at }, index) => at - (calls[index]?.at ?? Number.NaN) - rules.lifetime - margin);
  });
  await site.close();
  const [judged, renewed] = [latencies(late), latencies(shows)];
  return [
    {
      what: `wake-ups with 1,000 open turns, hz 10 (${late.length}): due → judged by the worker`,
      measured: `p50 ${ms(judged.p50)}, p99 ${ms(judged.p99)} late`,
      floor: 'p50 ≤ 5 ms, p99 ≤ 25 ms',
      met: judged.p50 <= 5 && judged.p99 <= 25,
    },
    {
      what: 'the same, due → the renewal arrives at the platform, an API round trip included',
      measured: `p50 ${ms(renewed.p50)}, p99 ${ms(renewed.p99)}`,
      floor: '–',
      met: null,
    },
  ];
}

/** The platforms' own rules, one user each. */
export async function cover(redisUrl: string): Promise<Row[]> {
  const thinks: Record<string, number> = { 'wait 24 s': 24_000, 'wait 300 ms': 300, 'wait 40 s': 40_000 };
  const site = await openSite({ redisUrl, bot: { thinkMs: (text) => thinks[text] ?? 0 } });
  const { wechat, nxcloud } = site.simulator;
  await site.web();
  await site.worker();
  await one(site, 'warm');
  const fast = await wechat.push({ user: 'oFast', text: 'wait 300 ms' });
  const pushes = [
    wechat.push({ user: 'oSlow', text: 'wait 24 s' }),
    nxcloud.push({ user: '8613800138000', text: 'wait 40 s' }),
  ];
  const [slow, whatsapp] = [wechat.phone('oSlow'), nxcloud.phone('8613800138000')];
  const rows: Row[] = [];
  for (const { phone, name, floor } of [
    { phone: slow, name: 'WeChat, answer after 24 s', floor: 0.985 },
    { phone: whatsapp, name: 'WhatsApp, acknowledged at once, `sent` after 40 s', floor: 0.975 },
  ]) {
    const answer = await phone.next(received);
    const from = phone.marks.find(({ what }) => what === 'sent')?.at ?? Number.NaN;
    const share = phone.cover(from, answer.at);
    const bad = phone.marks.filter(({ what }) => what === 'refused' || what === 'wasted').length;
    await wait(500);
    const ghost = phone.ghost(answer.at);
    rows.push({
      what: `cover: ${name}`,
      measured: `${percent(share)}, ${bad} refused or wasted calls, ${ghost} ms after the answer`,
      floor: `≥ ${percent(floor)}, none, nothing`,
      met: share >= floor && bad === 0 && ghost === 0,
    });
  }
  await Promise.all(pushes);
  const inline =
    wechat.phone('oFast').marks.find(received)?.via === 'passive' && fast.deliveries.length === 1;
  rows.push({
    what: 'WeChat, answer after 300 ms',
    measured: inline
      ? `relayed inline, ${ms(fast.deliveries[0]?.tookMs ?? Number.NaN)} in all`
      : 'not relayed inline',
    floor: 'relayed inline',
    met: inline,
  });
  await site.close();
  return rows;
}

/** 200 users at once, each waiting 30 s, one worker. */
export async function crowd(redisUrl: string): Promise<Row[]> {
  const site = await openSite({ redisUrl, bot: { thinkMs: 30_000 } });
  const { wechat } = site.simulator;
  await site.web();
  await site.worker();
  void wechat.push({ user: 'warm', text: 'hi' });
  await site.bot.call(1);
  await wait(1_000);
  const users = Array.from({ length: 200 }, (_, index) => `oCrowd_${index}`);
  const pushes = users.map((user) => wechat.push({ user, text: 'hi' }));
  const answers = await Promise.all(users.map((user) => wechat.phone(user).next(received)));
  await Promise.all(pushes);
  const starts = users.map(
    (user) => wechat.phone(user).marks.find(({ what }) => what === 'sent')?.at ?? Number.NaN,
  );
  const lit = users.map(
    (user, index) => (wechat.phone(user).intervals()[0]?.from ?? Number.NaN) - (starts[index] ?? Number.NaN),
  );
  const waits = answers.map(({ at }, index) => at - (starts[index] ?? Number.NaN) - 30_000);
  await site.close();
  const [typing, answer] = [latencies(lit), latencies(waits)];
  const met = typing.max < 1_500 && answer.max < 1_500;
  return [
    {
      what: '200 users at once, each waiting 30 s, one worker',
      measured: `typing on after p50 ${ms(typing.p50)}, max ${ms(typing.max)}; answered p50 ${ms(answer.p50)}, max ${ms(answer.max)} after the bot's 30 s`,
      floor: 'nobody queues',
      met,
    },
  ];
}
