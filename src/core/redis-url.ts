/** The URL of a Redis: of a host, of the Sentinels that know which host it is now, or of the nodes of a Cluster. */
export interface Host {
  host: string;
  port: number;
}

export interface RedisUrl {
  kind: 'host' | 'sentinel' | 'cluster';
  isTls: boolean;
  /** Of Redis itself, of each node of a Cluster or of each Sentinel. */
  hosts: Host[];
  login: { username?: string; password?: string };
  /** What stands behind the hosts. */
  path: string[];
  query: URLSearchParams;
}

const defaultPort = { host: 6379, cluster: 6379, sentinel: 26_379 };

/** Null: it is no URL of a Redis. */
export function readRedisUrl(url: string): RedisUrl | null {
  const found =
    /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<login>[^@]*)@)?(?<hosts>[^/?#]*)(?<rest>[^#]*)$/i.exec(
      url,
    );
  if (!found?.groups) return null;
  const { tls, kind: named = 'host', login = '', hosts = '', rest = '' } = found.groups;
  const kind = named.toLowerCase() as RedisUrl['kind'];
  const all = (kind === 'host' ? [hosts] : hosts.split(',')).map((each) => hostOf(each, defaultPort[kind]));
  const [path = '', query = ''] = rest.split('?');
  const names = path.split('/').filter(Boolean);
  const isWhole = kind === 'sentinel' ? names.length > 0 : true;
  if (!isWhole || !all.every((each) => each !== null)) return null;
  const [username = '', ...password] = login.split(':');
  try {
    return {
      kind,
      isTls: tls !== '',
      hosts: all,
      login: {
        ...(username === '' ? {} : { username: decodeURIComponent(username) }),
        ...(password.length === 0 ? {} : { password: decodeURIComponent(password.join(':')) }),
      },
      path: names.map(decodeURIComponent),
      query: new URLSearchParams(query),
    };
  } catch {
    return null;
  }
}

function hostOf(text: string, usual: number): Host | null {
  const found = /^(?<host>\[[\da-f:.]+\]|[^\s:[\]]+)(?::(?<port>\d{1,5}))?$/i.exec(text.trim());
  const { host = '', port = String(usual) } = found?.groups ?? {};
  return host === '' || Number(port) > 65_535
    ? null
    : { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
