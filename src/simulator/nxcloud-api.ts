/**
 * NXCloud's WhatsApp API as far as a bot that types needs it.
 * Source: https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator and
 * https://github.com/nxtele/nxcloud-doc-en/wiki/WhatsApp-API-mt
 */
import type { Api, Subject, Verdict } from './api-server.ts';
import { authenticate } from './nxcloud-authenticate.ts';
import { createId, meta, missing, type NxcloudApiOptions } from './nxcloud-context.ts';
import { accepted, outgoingId, refused, UNKNOWN_ID } from './nxcloud-replies.ts';
import { asObject, asText, type JsonObject, readObject, type Request } from './server.ts';

const ROUTES = {
  '/api/wa/typingIndicator': { action: 'read', command: 'typing', run: type },
  '/api/wa/markMessageAsRead': { action: 'read', command: 'read', run: markRead },
  '/api/wa/mt': { action: 'mt', command: 'mt', run: send },
} as const;

const MT = '/api/wa/mt';

export function createNxcloudApi(options: NxcloudApiOptions): Api {
  return {
    describe: (request) => describe(options, request),
    handle: (request) => handle(options, request),
    refuse: (request, fault) =>
      'code' in fault
        ? refused(fault.code)
        : meta(options, fault.metaCode, {
            details: 'simulated fault',
            wrapper: request.path === MT ? 9099 : 0,
          }),
  };
}

function routeOf(path: string): (typeof ROUTES)[keyof typeof ROUTES] | null {
  return Object.entries(ROUTES).find(([known]) => known === path)?.[1] ?? null;
}

function describe({ messages }: NxcloudApiOptions, request: Request): Subject {
  const body = readObject(request.body.toString());
  const messageId = asText(body?.['message_id']);
  const inboundUser = messageId === null ? null : messages.userOf(messageId);
  const user = inboundUser ?? asText(body?.['to']) ?? asText(body?.['recipient']);
  const text = asText(asObject(body?.['text'])?.['body']);
  return { user, command: routeOf(request.path)?.command ?? null, messageId, text };
}

function handle(options: NxcloudApiOptions, request: Request): Verdict {
  const route = routeOf(request.path);
  if (route === null || request.method !== 'POST') return refused(1002);
  const credentials = { ...options, clockTolerance: options.rules.clockTolerance };
  const denied = authenticate(credentials, request, { action: route.action, now: options.now() });
  if (denied !== 0) return refused(denied);
  const body = readObject(request.body.toString());
  if (body === null) return refused(9000, 'Invalid parameter (body must be a JSON object)');
  return route.run(options, body);
}

function type(options: NxcloudApiOptions, body: JsonObject): Verdict {
  if (asObject(body['typing_indicator'])?.['type'] !== 'text') {
    return refused(9000, "Invalid parameter (typing_indicator.type must be 'text')");
  }
  if (body['appkey'] === undefined) return missing('appkey');
  if (body['appkey'] !== options.appKey) return refused(10003);
  return onInbound(options, body, (id, user) => {
    options.messages.read(id, options.phones.of(user));
    options.messages.type(id, options.phones.of(user));
    return accepted({ success: true });
  });
}

function markRead(options: NxcloudApiOptions, body: JsonObject): Verdict {
  return onInbound(options, body, (id, user) => {
    options.messages.read(id, options.phones.of(user));
    return accepted(null);
  });
}

function onInbound(
  options: NxcloudApiOptions,
  body: JsonObject,
  run: (id: string, user: string) => Verdict,
): Verdict {
  const id = asText(body['message_id']);
  if (body['messaging_product'] !== 'whatsapp') return missing('messaging_product');
  if (body['status'] !== 'read') return missing('status');
  if (id === null) return missing('message_id');
  if (body['business_phone'] !== options.businessPhone) return refused(10003);
  const user = options.messages.userOf(id);
  if (options.messages.directionOf(id) === 'outgoing') return meta(options, 100, { details: outgoingId(id) });
  if (user === null) return meta(options, 100, { details: UNKNOWN_ID });
  if (!options.messages.open(user))
    return meta(options, 131047, { details: 'The customer window is closed.' });
  return run(id, user);
}

function send(options: NxcloudApiOptions, body: JsonObject): Verdict {
  const user = asText(body['to']) ?? asText(body['recipient']);
  const kind = asText(body['type']);
  const content = kind === null ? null : asObject(body[kind]);
  if (body['messaging_product'] !== 'whatsapp') return missing('messaging_product');
  if (user === null) return missing('to');
  if (kind === null || content === null) return missing('type');
  if (kind === 'text' && asText(content['body']) === null) return missing('text.body');
  if (body['appkey'] !== options.appKey) return refused(9003);
  if (body['business_phone'] !== options.businessPhone) return refused(9006);
  if (kind !== 'template' && !options.messages.open(user)) {
    return meta(options, 131047, { details: 'The customer window is closed.', wrapper: 9099 });
  }
  const id = asText(body['cus_message_id']) ?? createId(options.random);
  options.messages.told(id, user);
  // A reaction is no message: it leaves the indicator as it is.
  if (kind !== 'reaction')
    options.phones.of(user).receive(kind === 'text' ? String(content['body']) : `[${kind}]`, 'api');
  const webhook = asText(body['dr_webhook']);
  const data = { messaging_product: 'whatsapp', messages: [{ id }] };
  return accepted(data, () => options.announce({ id, user, webhook }));
}
