import { Agent, request } from 'node:http';
import type { Simulator } from '../src/simulator/index.ts';
import { openSite, type Site } from '../test/chaos/processes.ts';
import { latencies, wait, type Row } from './measure.ts';

const calls = 600;
/** Between two calls: what one has set going is over when the next is made (ms). */
const pause = 20;
const users = Array.from({ length: 100 }, (_, index) => `oGateway_${index}`);
/** What the web logs of each message that did. */
const waitedLine = 'A message of the bot waited for a typing call.';

/** The bot's calls to WeChat's API, directly and through the gateway of a web process in turns: the time that it adds. */
export async function gateway(redisUrl: string): Promise<Row[]> {
  // A user who may be sent any number of messages.
  const wechat = { rules: { quota: 10 * calls } };
  const env = { GATEWAY_KEY: 'the-key-of-the-bench', LOG_LEVEL: 'debug' };
  const site = await openSite({ redisUrl, env, wechat });
  const web = await site.web();
  await site.worker();
  await Promise.all(users.map((user) => write(site, user)));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const bot = createBot(site.simulator, `${web.url}/gateway/${env.GATEWAY_KEY}/wechat/default`, agent);
  const token = await bot.token();
  const plain = await compare(bot, {
    name: 'a token call',
    path: '/cgi-bin/stable_token',
    bodyFor: () => bot.grant,
  });
  const path = `/cgi-bin/message/custom/send?access_token=${token}`;
  const sent = await compare(bot, { name: 'custom/send', path, bodyFor: messageTo });
  agent.destroy();
  const waited = web.output().split(waitedLine).length - 1;
  await site.close();
  return [plain, { ...sent, what: `${sent.what}; ${waited} of them waited for a typing call` }];
}

function messageTo(touser: string): string {
  return JSON.stringify({ touser, msgtype: 'text', text: { content: '你好' } });
}

async function write({ simulator: { wechat } }: Site, user: string): Promise<void> {
  await wechat.push({ user, text: 'hi' });
  await wechat.phone(user).next(({ what }) => what === 'received');
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
  // The first ones open connections and warm the code up.
  for (let count = -100; count < calls; count += 1) {
    const body = call.bodyFor(users[(count + 100) % users.length] ?? '');
    const past = await time(() => bot.post(`${bot.direct}${call.path}`, body));
    await wait(pause);
    const passed = await time(() => bot.post(`${bot.through}${call.path}`, body));
    await wait(pause);
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
