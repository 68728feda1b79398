/** The part of the control API by which typing is switched for the accounts behind a third-party platform. */
import { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import type { ComponentTypings } from '../accounts/component-typing.ts';
import type { Log } from '../core/ports.ts';
import { appIdPattern } from '../core/roster.ts';
import type { Guard } from '../http/guard.ts';
import type { Guessed } from '../http/guesses.ts';
import { refuse } from '../http/respond.ts';
import { refuseMethod } from '../http/webhook.ts';
import {
  admit,
  answerOf,
  type ControlRequest,
  error,
  inPath,
  json,
  type MoreRoutes,
  schemaOf,
} from './control.ts';
import { createBodyReader, bodyFault, readBody } from './operation.ts';
import { componentTyping } from './schemas.ts';

interface ComponentControlOptions {
  guard: Guard;
  /** @default nobody who guesses waits */
  guessed?: Guessed | undefined;
  /** The names of those that are served. */
  components: readonly string[];
  typings: Pick<ComponentTypings, 'read' | 'write'>;
  log: Log;
}

const typingPath = '/components/{component}/typing';
/** A list of 2,500 accounts (bytes). */
const readTypingBody = createBodyReader(64);

export function createComponentControl(options: ComponentControlOptions): Router {
  const router = Router();
  router.use('/components', admit(options.guard, options.guessed));
  router
    .route(typingPath.replace('{component}', ':component'))
    .get((request, response) => take(options, { request, response }, read))
    .put((request, response) => take(options, { request, response }, change))
    .all((_, response) => refuseMethod(response, 'GET, PUT'));
  return router;
}

type Carried = (
  typings: ComponentControlOptions['typings'],
  component: string,
  asked: ControlRequest,
) => Promise<void>;

async function take(
  { components, typings, log }: ComponentControlOptions,
  asked: ControlRequest,
  carryOut: Carried,
) {
  const component = String(asked.request.params.component);
  if (!components.includes(component))
    return refuse(asked.response, 404, 'No component of that name is configured: check the URL.');
  try {
    await carryOut(typings, component, asked);
  } catch (error) {
    log.warn({ component, error }, 'The control API did not reach Redis.');
    refuse(asked.response, 503, 'Redis is out of reach: say it again in a moment, which does no harm.');
  }
}

const read: Carried = async (typings, component, { response }) =>
  void response.json(await typings.read(component));

const change: Carried = async (typings, component, { request, response }) => {
  const body = await readTypingBody(request, response);
  if (body.is === 'refusal') return refuse(response, body.status, body.error);
  const asked = componentTyping.safeParse(body.body);
  if (!asked.success) return refuse(response, 400, bodyFault('body', asked.error));
  await typings.write(component, asked.data);
  response.json(asked.data);
};

const body = json(schemaOf(componentTyping));
const responses = {
  200: answerOf('Done', schemaOf(componentTyping)),
  401: error('The control token is missing or wrong'),
  404: error('No such component'),
  503: error('Redis is out of reach'),
};

/** The same for the document. */
export const componentRoutes: MoreRoutes = {
  parameters: {
    component: inPath(
      'component',
      {},
      'Its name in the configuration; of plain environment variables: default.',
    ),
  },
  paths: {
    [typingPath]: {
      parameters: [{ $ref: '#/components/parameters/component' }],
      get: {
        operationId: 'readComponentTyping',
        summary: 'For which accounts behind a WeChat third-party platform typing is on',
        responses,
      },
      put: {
        operationId: 'changeComponentTyping',
        summary: 'Switch typing for the accounts behind a WeChat third-party platform',
        description:
          'Takes the place of all that was said before. Every process follows within 2 s; messages are forwarded either way.',
        requestBody: { content: body },
        responses: {
          ...responses,
          400: error('What is asked for cannot be'),
          413: error('The body is longer than 64 kB'),
          415: error('The body is compressed, or no UTF-8'),
        },
      },
    },
  },
};

/** The part of the control API by which a third-party platform's refresh tokens are brought in. */

export type KeptToken = { is: 'kept' } | { is: 'refused'; error: string };

interface AuthorizerControlOptions {
  guard: Guard;
  /** @default nobody who guesses waits */
  guessed?: Guessed | undefined;
  /** The names of those that are served. */
  components: readonly string[];
  /** Rejects when Redis is out of reach. */
  keepRefreshToken: (component: string, appId: string, token: string) => Promise<KeptToken>;
  log: Log;
}

const authorizerPath = '/components/{component}/authorizers/{appid}';
const textNeeded = 'must be a text of 1 to 1024 characters';

const authorizer = z.strictObject({
  refreshToken: z
    .string({ error: textNeeded })
    .min(1, textNeeded)
    .max(1_024, textNeeded)
    .describe('The authorizer_refresh_token that WeChat has given for the account.'),
});

export function createAuthorizerControl(options: AuthorizerControlOptions): Router {
  const router = Router();
  router.use('/components', admit(options.guard, options.guessed));
  router
    .route(authorizerPath.replaceAll(/\{(\w+)\}/g, ':$1'))
    .put((request, response) => put(options, request, response))
    .all((_, response) => refuseMethod(response, 'PUT'));
  return router;
}

async function put(
  { components, keepRefreshToken, log }: AuthorizerControlOptions,
  request: Request,
  response: Response,
): Promise<void> {
  const { component, appid } = z.object({ component: z.string(), appid: z.string() }).parse(request.params);
  if (!components.includes(component))
    return refuse(response, 404, 'No component of that name is configured: check the URL.');
  if (!appIdPattern.test(appid))
    return refuse(response, 400, 'The URL names no AppID: write wx and 16 digits or letters from a to f.');
  const body = await readBody(request, response);
  if (body.is === 'refusal') return refuse(response, body.status, body.error);
  const asked = authorizer.safeParse(body.body);
  if (!asked.success) return refuse(response, 400, bodyFault('body', asked.error));
  try {
    const kept = await keepRefreshToken(component, appid, asked.data.refreshToken);
    if (kept.is === 'refused') return refuse(response, 409, kept.error);
    response.status(204).end();
  } catch {
    // Not even the error: a client of Redis puts a command's values into it.
    log.warn({ component, appId: appid }, 'A refresh token that was brought in did not reach Redis.');
    refuse(response, 503, 'Redis is out of reach: say it again in a moment, which does no harm.');
  }
}

/** The same for the document. */
export const authorizerRoutes: MoreRoutes = {
  parameters: {
    appid: inPath('appid', { pattern: appIdPattern.source }, 'The AppID of an account behind the component.'),
  },
  paths: {
    [authorizerPath]: {
      parameters: ['component', 'appid'].map((name) => ({ $ref: `#/components/parameters/${name}` })),
      put: {
        operationId: 'bringInAuthorizer',
        summary:
          'Bring in the refresh token of an account that has authorised the third-party platform before',
        description:
          'Takes the place of the one that is kept; it is closed with ACCOUNTS_KEY and never told. Nobody else may refresh with it from then on.',
        requestBody: { content: json(schemaOf(authorizer)) },
        responses: {
          204: { description: 'Done' },
          400: error('What is asked for cannot be'),
          401: error('The control token is missing or wrong'),
          404: error('No such component'),
          409: error('The component does not refresh tokens by itself'),
          413: error('The body is longer than 16 kB'),
          415: error('The body is compressed, or no UTF-8'),
          503: error('Redis is out of reach'),
        },
      },
    },
  },
};
