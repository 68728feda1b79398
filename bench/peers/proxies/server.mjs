/** `server.mjs <name> <target>`: passes everything on to the target, as the proxy's own README does it. */
import { Agent, createServer } from 'node:http';

const [, , name, target] = process.argv;

const proxies = {
  'http-proxy-3': async () => {
    const { createProxyServer } = await import('http-proxy-3');
    const proxy = createProxyServer({ target, agent: new Agent({ keepAlive: true }) });
    const server = createServer((request, response) => proxy.web(request, response));
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
  },
  '@fastify/http-proxy': async () => {
    const [{ default: fastify }, { default: proxy }] = await Promise.all([
      import('fastify'),
      import('@fastify/http-proxy'),
    ]);
    const server = fastify();
    await server.register(proxy, { upstream: target });
    await server.listen({ port: 0, host: '127.0.0.1' });
    return server.server.address().port;
  },
};

process.send({ port: await proxies[name]() });
// With the bench, however that ended.
process.on('disconnect', () => process.exit());
