/**
 * How accounts behind a WeChat third-party platform (开放平台第三方平台, "component") are called here:
 * `<component>.<AppID>`. Names that somebody gives hold no dot, so nothing clashes.
 */

/** As WeChat makes AppIDs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html */
export const appIdPattern = /^wx[0-9a-f]{16}$/;

const events = 'events';

/** What a name with a dot means; `appId` null: the component's own authorization events. */
export interface Behind {
  component: string;
  appId: string | null;
}

export function authorizerName(component: string, appId: string): string {
  return `${component}.${appId}`;
}

/** The account under which the component's authorization events travel. */
export function eventsName(component: string): string {
  return `${component}.${events}`;
}

/** null: no account behind a component is called so. */
export function behindOf(account: string): Behind | null {
  const dot = account.indexOf('.');
  const [component, rest] = [account.slice(0, Math.max(dot, 0)), account.slice(dot + 1)];
  if (component === '') return null;
  if (rest === events) return { component, appId: null };
  return appIdPattern.test(rest) ? { component, appId: rest } : null;
}

/** A template's URL for one account: `{appid}` filled in. */
export function fillAppId(url: string, appId: string): string {
  return url.replaceAll('{appid}', appId);
}
