/** What WeChat, or the vendor's token service, makes of a third-party platform. */
import { codeOf } from '../api.ts';
import { fail, type Finding, ok, warn } from '../../core/platform.ts';
import { said, type Said } from '../../core/said.ts';
import { fetchToken, type KeptTokens, remedyOfFault, type TokenDeps, type TokenFault } from '../token.ts';
import { authorizerOf, type WechatComponent } from './component.ts';

const subject = 'token';
/** Of nobody: which accounts there are, only pushes tell. */
const nobody = 'wx0000000000000000';

/** Asks for the platform's own token as a process in service does: the one that all share is used, and kept. */
export async function askByItself(own: Pick<KeptTokens, 'get'>): Promise<Finding[]> {
  const got = await own.get();
  return [
    got.is === 'token' ? ok(subject, said('WeChat gives the component_access_token')) : faultFinding(got),
  ];
}

/** Asks the vendor's service for the token of an account that does not exist: that it answers is all that is told. */
export async function askService(
  component: WechatComponent,
  deps: Omit<TokenDeps, 'cache'>,
): Promise<Finding[]> {
  const got = await fetchToken(authorizerOf(component, component.minis[0] ?? nobody), deps);
  if (got.is === 'token') return [ok(subject, said('the token service gives tokens'))];
  if (got.is === 'token-refused')
    return [
      ok(
        subject,
        said('the token service answers; it gives {nobody}, which nobody has, no token', { nobody }),
      ),
    ];
  return [
    (isReached(got) ? warn : fail)(subject, {
      says: said('the token service gave {nobody}, which nobody has, no token: {cause}', {
        nobody,
        cause: causeOf(got),
      }),
      remedy: said(
        'Check authorizerTokenUrl and authorizerTokenAuthorization, and that this machine reaches it.',
      ),
    }),
  ];
}

function isReached(fault: TokenFault): boolean {
  return fault.is === 'token-lost' && /HTTP (404|400|422)$/.test(fault.cause);
}

function causeOf(fault: TokenFault): Said {
  return fault.is === 'token-lost' ? fault.cause : said('it has nothing to ask with');
}

function faultFinding(fault: TokenFault): Finding {
  switch (fault.is) {
    case 'no-credentials':
      return fail(subject, {
        says: said('there is no component_access_token'),
        remedy: remedyOfFault(fault),
      });
    case 'token-refused': {
      const { name } = codeOf(fault.code);
      return fail(subject, {
        says: said('refused with {code}', { code: `${fault.code} (${name})` }),
        remedy: remedyOfFault(fault),
      });
    }
    case 'token-lost':
      return fail(subject, {
        says: fault.cause,
        remedy: said('Check apiBase, ACCOUNTS_KEY, and that this machine reaches WeChat (HTTPS_PROXY).'),
      });
  }
}
