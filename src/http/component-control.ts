/** The part of the control API by which typing is switched for the accounts behind a third-party platform. */
import { type Request, type Response, Router } from 'express';
import type { ComponentTyping } from '../accounts/component-typing.ts';
import type { Log } from '../core/log.ts';
import { componentTyping } from './component-schemas.ts';
import { createBodyReader } from './control-body.ts';
import { faultOf } from './control-fault.ts';
import { admit } from './control.ts';
import type { Guard } from './guard.ts';
import { answerOf, error, inPath, json, type MoreRoutes, schemaOf } from './openapi.ts';
import { refuse } from './respond.ts';
import { refuseMethod } from './webhook.ts';

/** Every member rejects when Redis is out of reach. */
export interface ComponentTypings {
  read(component: string): Promise<ComponentTyping>;
  write(component: string, typing: ComponentTyping): Promise<void>;
}

export interface ComponentControlOptions {
  guard: Guard;
  /** The names of those that are served. */
  components: readonly string[];
  typings: ComponentTypings;
  log: Log;
}

const typingPath = '/components/{component}/typing';
/** A list of 2,500 accounts (bytes). */
const readTypingBody = createBodyReader(64);

export function createComponentControl(options: ComponentControlOptions): Router {
  const router = Router();
  router.use('/components', admit(options.guard));
  router
    .route(typingPath.replace('{component}', ':component'))
    .get((request, response) => take(options, { request, response }, read))
    .put((request, response) => take(options, { request, response }, change))
    .all((_, response) => refuseMethod(response, 'GET, PUT'));
  return router;
}

interface Asked {
  request: Request;
  response: Response;
}

type Carried = (typings: ComponentTypings, component: string, asked: Asked) => Promise<void>;

async function take({ components, typings, log }: ComponentControlOptions, asked: Asked, carryOut: Carried) {
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
  if (!asked.success) return refuse(response, 400, faultOf('body', asked.error));
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
