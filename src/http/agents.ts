import { Agent as HttpAgent, type AgentOptions, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';
import { confine, type Confinement, confineProxied } from './confine.ts';

/** A proxy knows nothing of this machine's own addresses: what runs here is called directly. */
export function platformProxy(url: string): string {
  const { hostname } = new URL(url);
  const here = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return here ? '' : getProxyForUrl(url);
}

export interface AgentsOptions {
  /** Connections at most per host; further requests wait for one. @default no limit */
  maxSockets?: number;
  /**
   * An idle connection is closed after this (ms). It has to be shorter than the other side's own limit, or a request
   * can meet its closing: nobody knows then whether it was taken up.
   */
  idleMs: number;
  /** The proxy for a URL, or "" for none. @default never one */
  proxyFor?: (url: string) => string;
  /** Which addresses may be connected to; the proxies' own always may. @default all */
  confinement?: Confinement;
}

/** The proxy did not open a tunnel: the request itself never left. */
export const PROXY_REFUSED = 'ERR_PROXY_REFUSED';

/** A bot may think for minutes: without a sign of life, what stands between may forget its connection (ms). */
const keepAliveInitialDelay = 60_000;

/** Pools of connections that stay open, through the proxies that some URLs need. */
export interface Agents {
  agentFor: (url: string) => HttpAgent;
  close: () => void;
}

export function createAgents({
  maxSockets = Infinity,
  idleMs,
  proxyFor = () => '',
  confinement,
}: AgentsOptions): Agents {
  const pool = { keepAlive: true, keepAliveInitialDelay, timeout: idleMs, maxSockets };
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) };
  if (confinement) Object.values(agents).forEach((agent) => confine(agent, confinement));
  const proxies = new Map<string, HttpAgent>();
  const proxied = (proxy: string): HttpAgent => {
    const known = proxies.get(proxy) ?? createProxyAgent(proxy, pool, confinement);
    proxies.set(proxy, known);
    return known;
  };
  return {
    agentFor: (url) => {
      const proxy = proxyFor(url);
      if (proxy !== '') return proxied(proxy);
      return url.toLowerCase().startsWith('https:') ? agents.https : agents.http;
    },
    close: () => [agents.http, agents.https, ...proxies.values()].forEach((agent) => agent.destroy()),
  };
}

function createProxyAgent(
  proxy: string,
  pool: AgentOptions & { timeout: number },
  confinement: Confinement | undefined,
): HttpAgent {
  const agent = new HttpsProxyAgent(proxy, pool);
  // It drops its options when it is made; node:http reads the idle limit from there.
  agent.options.timeout = pool.timeout;
  // Otherwise the proxy's own answer would be taken for the one that was asked for.
  agent.on('proxyConnect', ({ statusCode }: { statusCode: number }, request: ClientRequest) => {
    if (statusCode !== 200) request.destroy(proxyRefused(statusCode));
  });
  if (confinement) confineProxied(agent, confinement);
  return agent;
}

function proxyRefused(status: number): Error {
  return Object.assign(new Error(`the proxy answered CONNECT with ${status}`), { code: PROXY_REFUSED });
}
