/** The fields of a third-party platform, as a file spells them; a message goes on after the field's name. */
import { z } from 'zod';
import { appIdPattern } from '../core/authorizer.ts';
import { aesKey, needed, wechatFields } from './schema.ts';

const { appSecret, tokenPrevious, encodingAesKeyPrevious, apiBase, accessTokenUrl } = wechatFields.shape;

/** Every setting of an account but its identity: all its authorizers have it. */
export const templateFields = wechatFields.pick({
  kind: true,
  typingPath: true,
  interim: true,
  customSend: true,
  botUrl: true,
  botMode: true,
  replyConcurrency: true,
  typing: true,
  afterAck: true,
  sendEnds: true,
  startDelayMs: true,
  starts: true,
  rules: true,
});

const forEach = accessTokenUrl.refine((url) => url === undefined || url.includes('{appid}'), {
  error: 'must hold {appid}: one token is not good for another account',
});

const headerValue = z
  .string({ error: 'must be a text in quotes' })
  .regex(/^[!-~]([ -~]*[!-~])?$/, { error: 'must be what stands behind "Authorization: "' });

const appIds = z.array(z.string().regex(appIdPattern, { error: 'is no AppID' }), {
  error: 'must be a list of AppIDs',
});

const page = "the platform's page at open.weixin.qq.com";

export const componentFields = z
  .strictObject({
    appId: needed(`copy the AppID from ${page}`),
    appSecret,
    token: needed(`copy the Token from ${page}`),
    tokenPrevious,
    encodingAesKey: needed(`copy the message key from ${page}`).pipe(aesKey),
    encodingAesKeyPrevious,
    apiBase,
    authorizerTokenUrl: forEach,
    authorizerTokenAuthorization: headerValue.optional(),
    forwardUrl: accessTokenUrl,
    minis: appIds.default([]),
    template: templateFields.prefault({}),
  })
  .refine((read) => read.appSecret !== undefined || read.authorizerTokenUrl !== undefined, {
    path: ['appSecret'],
    error: 'is missing: set it, or authorizerTokenUrl',
    // However much else is wrong: all is said at once.
    when: ({ value }) => typeof value === 'object' && value !== null,
  });
