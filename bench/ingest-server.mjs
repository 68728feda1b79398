/**
 * What receives pushes beside keeptyping: `bare` is node:http that answers; `checks` is Express with keeptyping's own
 * checks and reading; `redis` is that with one write of the push, which the answer waits for; `bullmq` is that with one
 * job in its place, which is the least that a push can cost where a worker is to hear of it.
 */
import { createServer } from 'node:http';
import bodyParser from 'body-parser';
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';
import { loadConfig } from '../dist/config/index.js';
import { pushOf } from '../dist/http/respond.js';
import { createClients, createPlatform } from '../dist/wiring/platforms.js';

const [, , kind] = process.argv;
const listening = () => process.send({ port: server.address().port });

function bare() {
  return createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(200, { 'Content-Length': 7 }).end('success'));
  });
}

function checking() {
  const redis = kind === 'redis' ? new Redis(process.env.REDIS_URL) : null;
  const connection = { url: process.env.REDIS_URL };
  const queue = kind === 'bullmq' ? new Queue('bench', { connection, skipVersionCheck: true }) : null;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const deps = { clients: createClients(), clock: { now: () => Date.now() }, cache: null, log };
  const { accounts } = loadConfig(process.env, () => null).config;
  const platforms = new Map(accounts.map((account) => [account.channel, createPlatform(account, deps)]));
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(bodyParser.raw({ type: () => true, limit: '1mb' }));
  app.post('/webhooks/:channel', async (request, response) => {
    const platform = platforms.get(request.params.channel);
    const received = await platform.receive(pushOf(request));
    if (received.is !== 'push') return response.status(401).end();
    if (redis) await redis.set(`push:${received.key}`, request.body, 'PX', 600_000, 'NX');
    if (queue) await queue.add('push', { body: request.body.toString() }, { removeOnComplete: true });
    response.end(Buffer.from(platform.acknowledgement.body));
  });
  return createServer(app);
}

const server = kind === 'bare' ? bare() : checking();
server.listen(0, '127.0.0.1', 4_096, listening);
// With the bench, however that ended.
process.on('disconnect', () => process.exit());
