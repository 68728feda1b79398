/** A platform that does as it is told, and notes what it is asked for. */
import { saidElsewhere } from '../../src/core/said.ts';
import type {
  AnswerShape,
  BotAnswer,
  LatePart,
  LateSend,
  Outcome,
  Platform,
  Target,
} from '../../src/core/platform.ts';
import type { Rules } from '../../src/core/rules.ts';
import type { Answer } from '../../src/core/wire.ts';
import { wechatRules } from '../../src/wechat/rules.ts';
import { answerOf, textOf } from './queue-fakes.ts';

export interface Scripted {
  channel?: 'wechat' | 'nxcloud';
  rules?: Partial<Rules>;
  show?: () => Promise<Outcome> | Outcome;
  /** `absent`: nothing can take an indicator away on this platform. */
  hide?: 'absent' | (() => Promise<Outcome> | Outcome);
  answer?: BotAnswer['is'];
  /** What each body means. @default `answer` */
  reads?: (body: string) => BotAnswer['is'];
  /** `absent`: webhook answers of this platform never hold messages. */
  sendLate?: 'absent' | LateSend | ((part: LatePart) => LateSend);
  /** @default one message, shown wherever it comes from */
  shape?: AnswerShape;
}

export interface ScriptedPlatform extends Platform {
  /** `show openid` and `hide openid`, in order. */
  calls: string[];
  sent: { user: string; body: string }[];
}

export function scriptedPlatform(script: Scripted = {}): ScriptedPlatform {
  const { channel = 'wechat', answer = 'message', sendLate = { is: 'sent' }, shape } = script;
  const { hide = (): Outcome => ({ is: 'done' }) } = script;
  const calls: string[] = [];
  const sent: ScriptedPlatform['sent'] = [];
  return {
    calls,
    sent,
    channel,
    account: 'shop',
    rules: { ...wechatRules, ...script.rules },
    needsMessageId: channel === 'nxcloud',
    acknowledgement: answerOf('success'),
    receive: () => Promise.reject(new Error('the queue receives no push')),
    show: async ({ user }) => {
      calls.push(`show ${user}`);
      return script.show?.() ?? { is: 'done' };
    },
    ownCalls: { reads: () => false, read: () => null, verdict: () => ({ is: 'unknown' }) },
    refer: (user, messageId) => ({ turn: `${user}-${messageId}`, messageId }),
    explain: (code) => saidElsewhere(`Code ${code} is explained.`),
    readAnswer: async ({ body }) => ({ is: script.reads?.(textOf(body)) ?? answer }),
    ...(shape ? { shapeOf: () => shape } : {}),
    ...(hide === 'absent'
      ? {}
      : {
          hide: async ({ user }: Target): Promise<Outcome> => {
            calls.push(`hide ${user}`);
            return hide();
          },
        }),
    ...(sendLate === 'absent'
      ? {}
      : {
          sendLate: async (user: string, { body }: Answer, part?: LatePart): Promise<LateSend> => {
            sent.push({ user, body: textOf(body) });
            return typeof sendLate === 'function' ? sendLate(part ?? { from: 0, most: Infinity }) : sendLate;
          },
        }),
  };
}
