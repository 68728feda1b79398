/** The part of the control API by which a third-party platform's refresh tokens are brought in. */
import { Router, type Request, type Response } from 'express';
import { z } from 'zod';
import { appIdPattern } from '../core/authorizer.ts';
import type { Log } from '../core/log.ts';
import { readBody } from './control-body.ts';
import { faultOf } from './control-fault.ts';
import { admit } from './control.ts';
import type { Guard } from './guard.ts';
import { error, inPath, json, schemaOf, type MoreRoutes } from './openapi.ts';
import { refuse } from './respond.ts';
import { refuseMethod } from './webhook.ts';

export type KeptToken = { is: 'kept' } | { is: 'refused'; error: string };

export interface AuthorizerControlOptions {
  guard: Guard;
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
  router.use('/components', admit(options.guard));
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
  if (!asked.success) return refuse(response, 400, faultOf('body', asked.error));
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
