/**
 * WeChat's API as a third-party platform sees it: its own calls, and those in the name of accounts that have
 * authorised it, by their tokens alone.
 */
import type { Api, Verdict } from './api-server.ts';
import type { Granted, Grants } from './component-grants.ts';
import type { Random } from './faults.ts';
import type { Phones } from './phones.ts';
import { readObject, type Request } from './server.ts';
import { carryOut, describe, verdict } from './wechat-api.ts';
import type { Contacts } from './wechat-rules.ts';

interface ComponentApiOptions {
  grants: Grants;
  phones: Phones;
  /** The account's users, and what it is. */
  accountOf: (appId: string) => { contacts: Contacts; kind: 'official' | 'mini' };
  random: Random;
}

/** As they are called in the list of calls. */
const commands: Readonly<Record<string, string>> = {
  '/cgi-bin/component/api_component_token': 'component-token',
  '/cgi-bin/component/api_query_auth': 'query-auth',
  '/cgi-bin/component/api_authorizer_token': 'authorizer-token',
};

export function createComponentApi(options: ComponentApiOptions): Api {
  return {
    describe: (request) => {
      const command = commands[request.path];
      return command === undefined ? describe(request) : { user: null, command, messageId: null, text: null };
    },
    handle: (request) => handle(options, request),
    refuse: (_request, fault) => verdict(options, 'code' in fault ? fault.code : fault.metaCode),
  };
}

function handle(options: ComponentApiOptions, request: Request): Verdict {
  const { grants, phones, accountOf } = options;
  if (request.method !== 'POST') return verdict(options, 43002);
  const asked = readObject(request.body.toString()) ?? {};
  const own = request.query.get('component_access_token');
  switch (commands[request.path]) {
    case 'component-token':
      return answer(options, grants.component(asked));
    case 'query-auth':
      return answer(options, grants.exchange(own, asked));
    case 'authorizer-token':
      return answer(options, grants.renew(own, asked));
    default: {
      const bearer = grants.bearerOf(request.query.get('access_token'));
      if (typeof bearer === 'number') return verdict(options, bearer);
      return verdict(options, carryOut({ ...accountOf(bearer), phones }, request));
    }
  }
}

function answer(options: ComponentApiOptions, granted: Granted): Verdict {
  if ('code' in granted) return verdict(options, granted.code);
  return { code: 0, body: JSON.stringify(granted.json) };
}
