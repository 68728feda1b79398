/** What whoever has started it needs next: the URL for the platform, the console, and what checks it all. */
import type { Config } from '../config/index.ts';
import type { Place, ServedBot } from '../core/roster.ts';
import { ownUrl } from './releases.ts';

interface StartedAccount {
  platform: Place;
  bot: Pick<ServedBot, 'url' | 'mode'> | null;
}

interface Started {
  config: Pick<Config, 'host' | 'controlTokens'>;
  port: number;
  accounts: readonly StartedAccount[];
  /** The names of the third-party platforms. */
  components: readonly string[];
  /** What logs in to the console once; null: whoever started it knows the token. */
  invitation: string | null;
}

/** So many lines of accounts at most. */
const most = 3;

/** Five lines at most; none holds what a bot's URL may hold of secrets. */
export function nextSteps({ config, port, accounts, components, invitation }: Started): string[] {
  const all = [...accounts.map(lineOfAccount), ...components.map(lineOfComponent)];
  const left = all.length - (most - 1);
  const told =
    all.length <= most
      ? all
      : [...all.slice(0, most - 1), `${left} more accounts: the console lists them, the doctor checks them.`];
  const base = ownUrl(config.host, port);
  return [...told, lineOfConsole(`${base}/console`, { config, invitation }), doctor];
}

const doctor = 'Whether all of this works, and how to mend what does not: npm run doctor';

function lineOfAccount({ platform: { channel, account }, bot }: StartedAccount): string {
  const path = account === 'default' ? channel : `${channel}/${account}`;
  const by = bot === null ? 'no bot URL, only typing is shown' : `bot ${plain(bot.url)}, mode ${bot.mode}`;
  return `${channel}/${account}: webhook URL https://<your host>/webhooks/${path}, ${by}`;
}

function lineOfComponent(name: string): string {
  return `component/${name}: webhook URL https://<your host>/webhooks/wechat/component/${name}/$APPID$/callback`;
}

/** Without user, password and query. */
function plain(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^(\w+:\/\/)[^/]*@/, '$1');
}

function lineOfConsole(url: string, { config, invitation }: Pick<Started, 'config' | 'invitation'>): string {
  if (invitation !== null)
    return `The console, by a link that logs in once, within the hour: ${url}#login=${invitation}`;
  return config.controlTokens.length > 0
    ? `The console: ${url}, with CONTROL_TOKEN`
    : 'The console is off: set CONTROL_TOKEN to have it.';
}
