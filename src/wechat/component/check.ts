/** What WeChat, or the vendor's token service, makes of a third-party platform. */
import { codeOf } from '../api.ts';
import { fail, type Finding, ok, warn } from '../../core/platform.ts';
import { fetchToken, type KeptTokens, remedyOfFault, type TokenDeps, type TokenFault } from '../token.ts';
import { authorizerOf, type WechatComponent } from './component.ts';

const subject = 'token';
/** Of nobody: which accounts there are, only pushes tell. */
const nobody = 'wx0000000000000000';

/** Asks for the platform's own token as a process in service does: the one that all share is used, and kept. */
export async function askByItself(own: Pick<KeptTokens, 'get'>): Promise<Finding[]> {
  const got = await own.get();
  return [got.is === 'token' ? ok(subject, 'WeChat gives the component_access_token') : faultFinding(got)];
}

/** Asks the vendor's service for the token of an account that does not exist: that it answers is all that is told. */
export async function askService(
  component: WechatComponent,
  deps: Omit<TokenDeps, 'cache'>,
): Promise<Finding[]> {
  const got = await fetchToken(authorizerOf(component, component.minis[0] ?? nobody), deps);
  if (got.is === 'token') return [ok(subject, 'the token service gives tokens')];
  if (got.is === 'token-refused')
    return [ok(subject, `the token service answers; it gives ${nobody}, which nobody has, no token`)];
  return [
    (isReached(got) ? warn : fail)(subject, {
      says: `the token service gave ${nobody}, which nobody has, no token: ${causeOf(got)}`,
      remedy: 'Check authorizerTokenUrl and authorizerTokenAuthorization, and that this machine reaches it.',
    }),
  ];
}

function isReached(fault: TokenFault): boolean {
  return fault.is === 'token-lost' && /HTTP (404|400|422)$/.test(fault.cause);
}

function causeOf(fault: TokenFault): string {
  return fault.is === 'token-lost' ? fault.cause : 'it has nothing to ask with';
}

function faultFinding(fault: TokenFault): Finding {
  switch (fault.is) {
    case 'no-credentials':
      return fail(subject, { says: 'there is no component_access_token', remedy: remedyOfFault(fault) });
    case 'token-refused': {
      const { name } = codeOf(fault.code);
      return fail(subject, { says: `refused with ${fault.code} (${name})`, remedy: remedyOfFault(fault) });
    }
    case 'token-lost':
      return fail(subject, {
        says: fault.cause,
        remedy: 'Check apiBase, ACCOUNTS_KEY, and that this machine reaches WeChat (HTTPS_PROXY).',
      });
  }
}
