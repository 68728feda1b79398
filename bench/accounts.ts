/** Three hundred accounts on one web and one worker: what five that are ill do to the others. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBot, startSimulator, type Bot, type Simulator } from '../src/simulator/index.ts';
import { openSite } from '../test/chaos/processes.ts';
import { ms, percent, prefixed, quantile, type Row, sum, wait } from './measure.ts';
import type { BenchRedis } from './redis.ts';

const typingPath = '/cgi-bin/message/custom/typing';
const tokenPath = '/cgi-bin/stable_token';
const count = 300;
const thinkMs = 6_000;
/** Each account's user writes once in this time; users of the ill ones much more often (ms). */
const spread = 25_000;
const pressure = { everyMs: 200 };

/** What is wrong with the first accounts. */
const ills: readonly ((simulator: Simulator) => unknown)[] = [
  ({ wechat }) => wechat.faults.set(typingPath, { hang: true }),
  // Its bot hangs instead: see `botOf`.
  () => {},
  ({ wechat }) => wechat.faults.set(tokenPath, { code: 40125 }),
  ({ wechat }) => wechat.faults.set(typingPath, { code: 48001 }),
  ({ wechat }) => wechat.faults.set(typingPath, { code: 45011 }),
];
const hangingBot = 1;

interface Measured {
  /** Of each healthy user (ms, 0 to 1). */
  first: number[];
  cover: number[];
}

export async function accounts({ url, redis }: BenchRedis): Promise<Row[]> {
  const alone = await play(url, 'healthy');
  await redis.flushall();
  const beside = await play(url, 'ill');
  return [
    {
      what: '300 accounts, of which one has a hanging API, one a hanging bot, one a wrong secret, one no permission, one a rate limit: typing of the others, beside them, and alone',
      values: { ...told(beside), ...prefixed('alone,', told(alone)) },
      goal: {
        says: 'within 5 %',
        met: (of) =>
          within(of, 'on after p50') &&
          within(of, 'on after p95') &&
          of('mean cover') >= of('alone, mean cover') * 0.95,
      },
    },
  ];
}

const within = (of: (name: string) => number, name: string): boolean =>
  of(`alone, ${name}`) * 1.05 >= of(name);

function told({ first, cover }: Measured): Row['values'] {
  return {
    'on after p50': ms(quantile(first, 0.5)),
    'on after p95': ms(quantile(first, 0.95)),
    'mean cover': percent(sum(cover) / cover.length),
    'least cover': percent(quantile(cover, 0)),
  };
}

async function play(redisUrl: string, first: 'healthy' | 'ill'): Promise<Measured> {
  const simulators = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      startSimulator({ wechat: { appId: `wx${n.toString(16).padStart(16, '0')}` } }),
    ),
  );
  const [one] = simulators;
  const wechat = one && { ...one.wechat.options, apiBase: one.wechat.apiBase };
  const bot = await startBot({ thinkMs, forgetful: true, ...(wechat ? { wechat } : {}) });
  const hanging = await startBot({ thinkMs: 600_000, forgetful: true, ...(wechat ? { wechat } : {}) });
  const folder = await mkdtemp(join(tmpdir(), 'bench-accounts-'));
  const botOf = (n: number): Bot => (first === 'ill' && n === hangingBot ? hanging : bot);
  await writeFile(join(folder, 'default.json'), configuration(simulators, botOf));
  const site = await openSite({ redisUrl, env: { CONFIG_DIR: folder } });
  const { url } = await site.web();
  await site.worker();
  simulators.forEach(({ wechat }, n) => wechat.connect(`${url}/webhooks/wechat/a${n}`));
  if (first === 'ill') simulators.forEach((simulator, n) => ills[n]?.(simulator));
  // Tokens and connections are there before anything is measured.
  await Promise.all(
    simulators.slice(ills.length).map(({ wechat }) => wechat.push({ user: 'oWarm', text: 'hi' })),
  );
  await wait(thinkMs);
  const measured = await traffic(simulators);
  await site.close();
  await Promise.all([bot, hanging, ...simulators].map((each) => each.close()));
  await rm(folder, { recursive: true });
  return measured;
}

function configuration(simulators: readonly Simulator[], botOf: (n: number) => Bot): string {
  const each = simulators.map(({ wechat }, n) => {
    const { appId, appSecret, token, encodingAesKey } = wechat.options;
    const fields = { appId, appSecret, token, encodingAesKey, apiBase: wechat.apiBase };
    return [`a${n}`, { ...fields, botUrl: `${botOf(n).url}/` }];
  });
  return JSON.stringify({ version: 1, accounts: { wechat: Object.fromEntries(each) } });
}

async function traffic(simulators: readonly Simulator[]): Promise<Measured> {
  const healthy = simulators.slice(ills.length);
  const stop = press(simulators.slice(0, ills.length));
  const waits = healthy.map(async ({ wechat }, n) => {
    await wait((spread / healthy.length) * n);
    const phone = wechat.phone('oBench');
    void wechat.push({ user: 'oBench', text: 'hi' });
    const { at } = await phone.next(({ what }) => what === 'received');
    const sent = phone.marks.find(({ what }) => what === 'sent')?.at ?? Number.NaN;
    return { first: (phone.intervals()[0]?.from ?? Number.NaN) - sent, cover: phone.cover(sent, at) };
  });
  const all = await Promise.all(waits);
  stop();
  return { first: all.map(({ first }) => first), cover: all.map(({ cover }) => cover) };
}

/** New users keep writing to the first accounts, whatever those do. */
function press(simulators: readonly Simulator[]): () => void {
  let users = 0;
  const timer = setInterval(() => {
    users += 1;
    for (const { wechat } of simulators) wechat.push({ user: `oPress_${users}`, text: 'hi' }).catch(() => {});
  }, pressure.everyMs);
  return () => clearInterval(timer);
}
