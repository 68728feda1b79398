/**
 * A third-party platform (开放平台第三方平台): one app that acts for many accounts, its authorizers.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/product/third_party_platform_introduction.html
 */
import type { WechatAccount } from '../account.ts';
import { authorizerName, fillAppId } from '../../core/roster.ts';

/** Validated and frozen by the configuration. */
export interface WechatComponent {
  /** Its name in the configuration and in URLs. */
  name: string;
  appId: string;
  /** For getting tokens by itself; null when `authorizerTokenUrl` supplies them. */
  appSecret: string | null;
  /** The push token; during rotation the previous one second. */
  tokens: readonly string[];
  /** 43 characters each; during rotation the previous one second. */
  encodingAesKeys: readonly string[];
  apiBase: string;
  /** The vendor's own token service, with `{appid}` for the authorizer; used instead of the secret. */
  authorizerTokenUrl: string | null;
  /** The `Authorization` header for it. */
  authorizerTokenAuthorization: string | null;
  /** Where authorization events go on to: the vendor's own service. */
  forwardUrl: string | null;
  /** AppIDs of authorizers that are Mini Programs or Mini Games, where the template says `official`. */
  minis: readonly string[];
  template: AuthorizerTemplate;
}

/** What every authorizer inherits: all of an account but its identity. */
type AuthorizerTemplate = Omit<
  WechatAccount,
  | 'channel'
  | 'name'
  | 'appId'
  | 'appSecret'
  | 'tokens'
  | 'encodingAesKeys'
  | 'encryption'
  | 'component'
  | 'accessTokenUrl'
  | 'accessTokenAuthorization'
  | 'apiBase'
>;

/** Whether it refreshes tokens by itself. */
export function isByItself({ authorizerTokenUrl }: WechatComponent): boolean {
  return authorizerTokenUrl === null;
}

/** One authorizer as an account: the component's keys, the template's settings. */
export function authorizerOf(component: WechatComponent, appId: string): WechatAccount {
  const { template, authorizerTokenUrl, authorizerTokenAuthorization: authorization } = component;
  return {
    channel: 'wechat',
    name: authorizerName(component.name, appId),
    appId,
    appSecret: null,
    component: component.appId,
    tokens: component.tokens,
    encodingAesKeys: component.encodingAesKeys,
    encryption: 'require',
    apiBase: component.apiBase,
    accessTokenUrl: authorizerTokenUrl === null ? null : fillAppId(authorizerTokenUrl, appId),
    ...(authorization === null ? {} : { accessTokenAuthorization: authorization }),
    ...template,
    kind: component.minis.includes(appId) ? 'mini' : template.kind,
  };
}
