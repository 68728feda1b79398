/** The URLs that a WeChat third-party platform has in its console, beside those of accounts. */
import type { RequestHandler } from 'express';
import { authorizerName, eventsName } from '../core/roster.ts';
import { refuse } from './respond.ts';

const base = '/webhooks/wechat/component{/:component}';

/** `$APPID$` in the console's message URL becomes `:appid`; authorization events have one URL for all accounts. */
export const componentPaths = [`${base}/:appid/callback`, `${base}/events`];

/**
 * Calls what the URL means by the name that it has as an account. A URL without a component's name means `default`,
 * or the only one.
 */
export function nameComponentAccount(components: readonly string[]): RequestHandler {
  const only = components.length === 1 ? components[0] : undefined;
  const usual = components.includes('default') ? 'default' : only;
  return (request, response, next) => {
    const { component, appid } = request.params;
    const name = component === undefined ? usual : String(component);
    if (name === undefined)
      return refuse(response, 404, `${request.path} names no component: write its name behind /component/.`);
    const account = appid === undefined ? eventsName(name) : authorizerName(name, String(appid));
    request.params = { channel: 'wechat', account };
    next();
  };
}
