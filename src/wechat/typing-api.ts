/**
 * The typing call: https://developers.weixin.qq.com/doc/service/api/customer/message/api_typing
 * Best effort: a late indicator is worse than none, so everything here is bounded in time and tried at most twice.
 */
import type { Outcome } from '../core/platform.ts';
import { said } from '../core/said.ts';
import type { Send } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { codeOf, hiddenOutcome, postJson, type Reply, shownOutcome } from './api.ts';
import { type AccessTokens, remedyOfFault, type TokenDeps, type TokenFault, withToken } from './token.ts';

type Command = 'Typing' | 'CancelTyping';

/** Hard limit in ms for one indicator's calls to the typing interface, the quick retry included. */
const callMs = 3000;
const retryAfterMs = 200;
/** Less than this is not worth another try. */
const leastMs = 300;

/** Mini Programs and Mini Games have a path of their own. */
const paths = {
  official: '/cgi-bin/message/custom/typing',
  mini: '/cgi-bin/message/custom/business/typing',
} as const;

interface TypingDeps extends Pick<TokenDeps, 'clock' | 'log'> {
  /** A pool of its own, so that hanging typing calls never delay a message. */
  typing: Send;
  tokens: AccessTokens;
}

/**
 * Makes the account's typing call.
 * @param limitMs the caller has given up by then: no call is begun any more
 */
export function createTyping(
  account: WechatAccount,
  deps: TypingDeps,
  limitMs: number,
): (command: Command, user: string) => Promise<Outcome> {
  const url = `${account.apiBase}${account.typingPath ?? paths[account.kind]}?access_token=`;
  return async (command, user) => {
    const post = limited(deps, url, { body: { touser: user, command }, limitMs });
    const reply = await withToken(deps.tokens, post);
    const outcome = outcomeOf(reply, command);
    if (outcome.is === 'failed' && outcome.bug === true) {
      const { code } = outcome;
      deps.log.error(
        { account: account.name, code, name: codeOf(code).name, command },
        'malformed typing call',
      );
    }
    return outcome;
  };
}

/** Posts with each token it is given, within one time budget and with one quick retry for all of them. */
function limited(
  { typing, clock }: TypingDeps,
  url: string,
  { body, limitMs }: { body: object; limitMs: number },
): (token: string) => Promise<Reply> {
  const deadline = clock.now() + limitMs;
  let left = callMs;
  let retried = false;
  return async function post(token): Promise<Reply> {
    const began = clock.now();
    const timeoutMs = Math.min(left, deadline - began);
    if (timeoutMs <= 0)
      return { is: 'lost', begun: false, cause: said('no time was left for the typing call') };
    const reply = await postJson(typing, url + encodeURIComponent(token), { body, timeoutMs });
    left -= clock.now() - began;
    if (retried || !isWorthRetrying(reply) || left - retryAfterMs < leastMs) return reply;
    retried = true;
    left -= retryAfterMs;
    await clock.sleep(retryAfterMs);
    return post(token);
  };
}

/** A timed out call may be running still; a second one would only add load. */
function isWorthRetrying(reply: Reply): boolean {
  switch (reply.is) {
    case 'code':
      return codeOf(reply.code).meaning === 'busy';
    case 'status':
      return reply.status >= 500;
    case 'lost':
      return !reply.begun;
    default:
      return false;
  }
}

function outcomeOf(reply: Reply | TokenFault, command: Command): Outcome {
  switch (reply.is) {
    case 'code':
      return (command === 'Typing' ? shownOutcome : hiddenOutcome)(reply.code, reply.remedy);
    case 'status':
      return statusOutcome(reply.status);
    case 'unreadable':
      return { is: 'lost', begun: true, cause: 'WeChat did not answer in its JSON' };
    case 'lost':
      return reply;
    case 'no-credentials':
      return { is: 'account-off', code: 0, remedy: remedyOfFault(reply) };
    case 'token-refused':
      return tokenOutcome(reply);
    case 'token-lost':
      return { is: 'lost', begun: false, cause: reply.cause };
  }
}

/** A gateway's 5xx says nothing about what stands behind it. */
function statusOutcome(status: number): Outcome {
  if (status >= 500) return { is: 'lost', begun: true, cause: `WeChat answered HTTP ${status}` };
  if (status === 429) return { is: 'account-back-off', code: status, forMs: 5000 };
  return { is: 'failed', code: status };
}

function tokenOutcome(fault: Extract<TokenFault, { is: 'token-refused' }>): Outcome {
  const { code } = fault;
  const { meaning } = codeOf(code);
  return meaning === 'token' || meaning === 'account'
    ? { is: 'account-off', code, remedy: remedyOfFault(fault) }
    : shownOutcome(code);
}
