import { Agent, request } from 'node:http';
import type { Simulator } from '../src/simulator/index.ts';
import { openSite, type Site } from '../test/chaos/processes.ts';
import { latencies, type Row } from './measure.ts';

const calls = 500;
/** The first ones open connections and warm the code up. */
const warmUp = 100;
/** About a hundred measured calls a second (ms). */
const pause = 8;
const users = Array.from({ length: warmUp + calls }, (_, index) => `oGateway_${index}`);
/** What the web logs of each message that did. */
const waitedLine = 'A message of the bot waited for a typing call.';

/** The bot's calls to WeChat's API, directly and through the gateway of a web process in turns: the time that it adds. */
export async function gateway(redisUrl: string): Promise<Row[]> {
  // Indicators that need no renewal, and a user who may be sent any number of messages.
  const wechat = { rules: { quota: 10 * calls, lifetime: 600_000, window: 1_200_000 } };
  const rules = { lifetime: 600_000, window: 1_200_000 };
  const env = {
    GATEWAY_KEY: 'the-key-of-the-bench',
    LOG_LEVEL: 'debug',
    WECHAT_AFTER_ACK: 'renew',
    WECHAT_RULES: JSON.stringify(rules),
  };
  const site = await openSite({ redisUrl, env, wechat, bot: { style: 'silent' } });
  const web = await site.web();
  await site.worker();
  for (const user of users) await write(site, user);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const bot = createBot(site.simulator, `${web.url}/gateway/${env.GATEWAY_KEY}/wechat/default`, agent);
  const token = await bot.token();
  const plain = await compare(bot, {
    name: 'a token call',
    path: '/cgi-bin/stable_token',
    bodyFor: () => bot.grant,
  });
  const path = `/cgi-bin/message/custom/send?access_token=${token}`;
  const answers = await compare(bot, { name: 'the answer to who waits', path, bodyFor: messageTo });
  const others = await compare(bot, { name: 'a message to who does not', path, bodyFor: messageTo });
  agent.destroy();
  const waited = web.output().split(waitedLine).length - 1;
  await site.close();
  return [plain, { ...answers, what: `${answers.what}; ${waited} of them waited for a typing call` }, others];
}

function messageTo(touser: string): string {
  return JSON.stringify({ touser, msgtype: 'text', text: { content: '你好' } });
}

async function write({ simulator: { wechat } }: Site, user: string): Promise<void> {
  await wechat.push({ user, text: 'hi' });
  await wechat.phone(user).next(({ what }) => what === 'typing-on');
}

function createBot(simulator: Simulator, base: string, agent: Agent) {
  const { appId, appSecret } = simulator.wechat.options;
  const grant = JSON.stringify({ grant_type: 'client_credential', appid: appId, secret: appSecret });
  const post = (url: string, body: string): Promise<string> => exchange(agent, url, body);
  const tokenOf = async (): Promise<string> =>
    /"access_token":"([^"]+)"/.exec(
      await post(`${simulator.wechat.apiBase}/cgi-bin/stable_token`, grant),
    )?.[1] ?? '';
  return { post, grant, token: tokenOf, direct: simulator.wechat.apiBase, through: base };
}

type MeasuredBot = ReturnType<typeof createBot>;

async function compare(
  bot: MeasuredBot,
  call: { name: string; path: string; bodyFor: (user: string) => string },
): Promise<Row> {
  const direct: number[] = [];
  const through: number[] = [];
  for (let count = -warmUp; count < calls; count += 1) {
    const body = call.bodyFor(users[count + warmUp] ?? '');
    await keepBusy(bot);
    const past = await time(() => bot.post(`${bot.direct}${call.path}`, body));
    const passed = await time(() => bot.post(`${bot.through}${call.path}`, body));
    if (count < 0) continue;
    direct.push(past);
    through.push(passed);
  }
  const [floor, all] = [latencies(direct), latencies(through)];
  const [p50, p99] = [all.p50 - floor.p50, all.p99 - floor.p99];
  return {
    what: `gateway: time added to ${call.name} (${calls} calls, direct p50 ${fine(floor.p50)}, p99 ${fine(floor.p99)})`,
    measured: `p50 ${fine(p50)}, p99 ${fine(p99)}`,
    floor: 'p50 ≤ 1 ms, p99 ≤ 5 ms',
    met: p50 <= 1 && p99 <= 5,
  };
}

/**
 * Between two calls, so that what one has set going is over when the next is made, as with users of its own; and no
 * processor falls asleep over it, which costs more than the gateway.
 */
async function keepBusy(bot: MeasuredBot): Promise<void> {
  const until = performance.now() + pause;
  while (performance.now() < until) await bot.post(`${bot.through}/cgi-bin/stable_token`, bot.grant);
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function exchange(agent: Agent, url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request(url, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`${answer.statusCode} ${text}`));
      });
    });
    outgoing.once('error', reject).end(body);
  });
}

function fine(value: number): string {
  return `${value.toFixed(2)} ms`;
}
