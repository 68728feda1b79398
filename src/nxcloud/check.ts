/** What NXCloud makes of an account: our signature, our clock, the app and its number. */
import { randomBytes } from 'node:crypto';
import { type Examiner, fail, type Finding, type Knock, ok, type Outcome, warn } from '../core/platform.ts';
import { said } from '../core/said.ts';
import { headerOf, type Send } from '../core/wire.ts';
import type { NxcloudAccount } from './account.ts';
import { metaCodes, platformCodes, setClock } from './codes.ts';
import { joinMessageId, nobody } from './message.ts';
import { sign } from './signature.ts';
import { show, type TypingApi } from './typing-api.ts';

type CheckDeps = Omit<TypingApi, 'account' | 'typing'> & { send: Send };

/** What NXCloud allows (ms): https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention */
const driftLimit = 60_000;
/** From here on somebody should look. A `Date` header has whole seconds. */
const driftNoticed = 10_000;

/** "Number not bound" and the like, which are only said once signature and clock are right. */
const phoneCodes: ReadonlySet<number> = new Set([9002, 9006, 10003]);

export function createNxcloudExaminer(account: NxcloudAccount, deps: CheckDeps): Examiner {
  const sealing = (): Sealing => ({ account, at: deps.clock.now(), random: randomBytes });
  return {
    channel: 'nxcloud',
    account: account.name,
    evidence: nxcloudEvidence,
    ask: () => ask(account, deps),
    knock: () => knock(sealing()),
    forgeries: () => {
      const { headers, ...rest } = knock(sealing());
      const others = headers.filter(([name]) => name !== 'sign');
      const unsigned = others.filter(([name]) => name === 'Content-Type');
      return {
        unsigned: { ...rest, headers: unsigned },
        wrong: { ...rest, headers: [...others, ['sign', '0'.repeat(32)]] },
      };
    },
    forged: said(
      'Switch callback signing on for the app at NXCloud, and NXCLOUD_VERIFY_CALLBACKS to auto, which asks for it after the first signed message, or require.',
    ),
    message: () => messageKnock(sealing()),
    readAnswer: () => ({ is: 'acknowledgement' }),
  };
}

/** A webhook's answer is never a message here. */
export const nxcloudEvidence: Examiner['evidence'] = {
  inline: false,
  statuses: said('Let NXCloud send message statuses to the same URL: they tell when an answer is out.'),
  remedy: said(
    'Let NXCloud send statuses to the webhook, or the bot call the gateway, or set BOT_QUEUE (see docs/recipes.md).',
  ),
};

/** A typing call for a message that does not exist: nothing is marked read, and nothing shows. */
async function ask(account: NxcloudAccount, { send, clock, log }: CheckDeps): Promise<Finding[]> {
  let drift: number | null = null;
  const typing: Send = async (request) => {
    const answer = await send(request);
    const theirs = Date.parse(headerOf(answer.headers, 'date') ?? '');
    drift = Number.isNaN(theirs) ? null : clock.now() - theirs;
    return answer;
  };
  const target = { user: '', messageId: joinMessageId(noMessage, nobody) };
  const outcome = await show({ account, typing, clock, log }, target);
  return [signatureFinding(account, outcome), ...(drift === null ? [] : [clockFinding(drift)])];
}

function signatureFinding({ businessPhone, rules }: NxcloudAccount, outcome: Outcome): Finding {
  const subject = 'signature';
  switch (outcome.is) {
    case 'lost': {
      const remedy = said('Check NXCLOUD_API_BASE, and that this machine reaches it (HTTPS_PROXY).');
      return fail(subject, {
        says: said('NXCloud gave no answer of its own ({cause})', { cause: outcome.cause }),
        remedy,
      });
    }
    // That it does not know the message is what is said after everything else was right.
    case 'done':
    case 'already':
    case 'window-closed':
    case 'message-refused':
    case 'user-back-off':
      return ok(subject, said('NXCloud accepts it, and knows the app and its number'));
    case 'account-off': {
      if (businessPhone === null && phoneCodes.has(outcome.code))
        return ok(subject, said('NXCloud accepts it; the number is not known before the first push'));
      const fault = {
        says: said('refused with {code}', { code: named(outcome.code) }),
        remedy: outcome.remedy,
      };
      return (rules.mode === 'off' ? warn : fail)(subject, fault);
    }
    case 'account-back-off':
    case 'failed': {
      const says = said('not known: NXCloud answered {code}', { code: named(outcome.code) });
      const remedy = said("Try again; if it stays, ask NXCloud's support about the code.");
      return (outcome.is === 'failed' && outcome.bug ? fail : warn)(subject, { says, remedy });
    }
  }
}

/** NXCloud judges our timestamp, which is Redis's time where there is one. */
function clockFinding(drift: number): Finding {
  const seconds = Math.round(Math.abs(drift) / 1000);
  const how = said(drift < 0 ? "{seconds} s behind NXCloud's" : "{seconds} s ahead of NXCloud's", {
    seconds,
  });
  if (Math.abs(drift) >= driftLimit) return fail('clock', { says: how, remedy: setClock });
  if (Math.abs(drift) >= driftNoticed) return warn('clock', { says: how, remedy: setClock });
  return ok('clock', seconds < 2 ? said("agrees with NXCloud's") : how);
}

function named(code: number): string {
  const known = [...platformCodes, ...metaCodes].find(
    (entry) => code >= entry.code && code <= (entry.upTo ?? entry.code),
  );
  return known ? `${code} (${known.name})` : `code ${code}`;
}

/** Requests as NXCloud makes them on a webhook, made by ourselves to see who answers. */

/** The form of a real id, of a message that nobody has written: "keeptyping doctor" in base64. */
const noMessage = 'wamid.a2VlcHR5cGluZyBkb2N0b3I=';

interface Sealing {
  account: Pick<NxcloudAccount, 'accessKey' | 'accessSecrets' | 'businessPhone'>;
  /** ms since 1970. */
  at: number;
  random: (bytes: number) => Uint8Array;
}

/** An envelope that holds neither a message nor a status. */
function knock(sealing: Sealing): Knock {
  return post(sealing, { messages: [], statuses: [] });
}

/** A text, with an id of its own: the same one again would count as a repeat. */
function messageKnock(sealing: Sealing): Knock {
  const id = `wamid.${Buffer.from(sealing.random(18)).toString('base64')}`;
  const timestamp = String(Math.floor(sealing.at / 1000));
  return post(sealing, {
    contacts: [{ wa_id: nobody, profile: { name: 'keeptyping doctor' } }],
    messages: [{ from: nobody, id, timestamp, type: 'text', text: { body: 'keeptyping doctor' } }],
  });
}

/** https://github.com/nxtele/http-api-document/wiki/whatsapp-callback-verify */
function post({ account, at }: Sealing, content: object): Knock {
  const { accessKey, accessSecrets, businessPhone: phone } = account;
  const business = phone === null ? {} : { business_phone: phone, merchant_phone: phone };
  const body = JSON.stringify({ messaging_product: 'whatsapp', ...business, ...content });
  const common = { accessKey, action: 'mo', bizType: '2', ts: String(Math.trunc(at)) };
  const secret = { accessSecret: accessSecrets[0] ?? '', algorithm: 'md5' } as const;
  const headers = [
    ['Content-Type', 'application/json'],
    ['accesskey', accessKey],
    ['action', common.action],
    ['biztype', common.bizType],
    ['ts', common.ts],
    ['algorithm', secret.algorithm],
    ['sign', sign(common, body, secret)],
  ] as const;
  return { method: 'POST', rawQuery: '', headers, body, expects: null };
}
