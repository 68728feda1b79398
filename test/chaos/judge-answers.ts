/** Messages and answers: none lost, none missing, none twice. */
import { type Finding, type Promised, together, type Verdict } from './promises.ts';
import { type Asked, answerTo, type PlatformCall, type Pushed, type Record } from './record.ts';

/** Between an answer and its send a process does so little that only a kill within this (ms) can hit it. */
const handover = 250;
/** A send that failed before it began is tried again for at most so long (ms). */
const sending = 15_000;

export function judgeAnswers(record: Record): Verdict {
  return together(record.pushes.map((pushed) => judgePush(record, pushed)));
}

function judgePush(record: Record, pushed: Pushed): Verdict {
  const asked = record.asked.filter(({ text }) => text === pushed.text);
  const received = record.marks.filter(
    ({ what, user, detail }) =>
      what === 'received' && user === pushed.user && detail === answerTo(pushed.text),
  );
  if (asked.length === 0) {
    const statuses = pushed.statuses.map((status) => status ?? 'no answer').join(', ');
    return broken(pushed, 'no message is lost', `never reached the bot; the platform heard: ${statuses}`);
  }
  if (received.length > 1) {
    const how = received.map(({ at, via }) => `${via} ${seconds(record, at)}`).join(', ');
    return broken(pushed, 'no answer comes twice', `came ${received.length} times: ${how}`);
  }
  return received.length === 1 ? { broken: [], explained: [] } : judgeMissing(record, pushed, asked);
}

/** Explained by the first thing that nobody between bot and platform could have made good. */
function judgeMissing(record: Record, pushed: Pushed, asked: Asked[]): Verdict {
  const story = asked.map((call) => wordsOf(record, call)).join('; ');
  const whole = asked.find((call) => call.broken === null && !call.hungUp && call.endedAt !== null);
  if (whole === undefined) {
    const fault = asked.find(({ broken }) => broken !== null)?.broken;
    return fault === undefined || fault === null
      ? broken(pushed, 'no answer is missing', `the bot was never heard out: ${story}`)
      : explained(pushed, 'no answer is missing', `the bot itself failed (${fault}): ${story}`);
  }
  const vain = failedSince(record, asked, whole);
  if (vain !== null)
    return explained(pushed, 'no answer is missing', `who asked was killed, and then ${vain}: ${story}`);
  const why = pushed.style === 'sends' ? whySendFailed(record, pushed) : whyLate(record, pushed, whole);
  return why.explains
    ? explained(pushed, 'no answer is missing', `${why.words}: ${story}`)
    : broken(pushed, 'no answer is missing', `${why.words}: ${story}`);
}

/** A bot does not always notice in time that whoever asks it has been killed; it is asked again, and may fail then. */
function failedSince(record: Record, asked: Asked[], { at, endedAt }: Asked): string | null {
  const killed = record.struck.some(
    ({ strike, from }) => strike.kind === 'kill' && from >= at && from <= (endedAt ?? at) + handover,
  );
  const last = asked.findLast((call) => call.at > at);
  return killed && last?.broken ? `the bot itself failed (${last.broken})` : null;
}

interface Why {
  explains: boolean;
  words: string;
}

/** The bot sends by itself: it knows what became of it, and a failed send is the bot's to repeat. */
function whySendFailed(record: Record, pushed: Pushed): Why {
  const { user, text } = pushed;
  const sent = record.sent.find((each) => each.user === user && each.text === answerTo(text));
  if (sent === undefined) return { explains: false, words: 'the bot acknowledged it and sent nothing' };
  const told = `the bot's send at ${seconds(record, sent.at)} heard ${sent.code ?? 'nothing'}`;
  if (sent.code === 0) return { explains: false, words: `${told}, and the phone has nothing` };
  const struck = faultedCall(record, pushed, { from: sent.at, to: sent.endedAt });
  if (struck !== null) return { explains: true, words: `${told}, as the platform failed it (${struck})` };
  const killed = record.struck.find(
    ({ strike, from }) =>
      strike.kind === 'kill' &&
      strike.target.startsWith('web') &&
      from >= sent.at - handover &&
      from <= sent.endedAt + handover,
  );
  return killed === undefined
    ? { explains: false, words: told }
    : { explains: true, words: `${told}, as its web was killed under it` };
}

/** keeptyping delivers: one send, which is never repeated once nobody knows what became of it. */
function whyLate(record: Record, pushed: Pushed, { endedAt }: Asked): Why {
  const from = endedAt ?? 0;
  const struck = faultedCall(record, pushed, { from: from - handover, to: from + sending });
  if (struck !== null) return { explains: true, words: `the platform failed the send (${struck})` };
  const killed = record.struck.find(
    ({ strike, from: at }) => strike.kind === 'kill' && at >= from - 20 && at <= from + handover,
  );
  if (sendsOf(record, pushed).length > 0) return { explains: false, words: 'it was sent, and refused' };
  return killed === undefined
    ? { explains: false, words: 'the bot answered, and it never came' }
    : { explains: true, words: 'a process was killed with the answer in its hand' };
}

/** The fault of the send itself, or where none was begun, of the fetch of a token that it needs. */
function faultedCall(
  record: Record,
  pushed: Pushed,
  { from, to }: { from: number; to: number },
): string | null {
  const sends = sendsOf(record, pushed);
  const tokens = record.calls.filter(
    ({ channel, command, at }) => channel === pushed.channel && command === 'token' && at >= from && at <= to,
  );
  const call = (sends.length > 0 ? sends : tokens).find(({ fault }) => fault !== null);
  return call === undefined ? null : `${call.command}: ${call.fault} at ${seconds(record, call.at)}`;
}

function sendsOf({ calls }: Record, { user, text }: Pushed): PlatformCall[] {
  return calls.filter((call) => call.user === user && call.text === answerTo(text));
}

function wordsOf(record: Record, { at, endedAt, hungUp, broken, attempt }: Asked): string {
  const end =
    endedAt === null ? 'open' : `${hungUp ? 'hung up' : (broken ?? 'answered')} ${seconds(record, endedAt)}`;
  return `asked ${seconds(record, at)} (attempt ${attempt ?? '–'}), ${end}`;
}

export function seconds({ startedAt }: Pick<Record, 'startedAt'>, at: number): string {
  return `+${((at - startedAt) / 1000).toFixed(2)} s`;
}

function found({ user, text, at }: Pushed, promised: Promised, words: string): Finding {
  return { promised, who: `${user} (${text})`, at, words };
}

function broken(pushed: Pushed, promised: Promised, words: string): Verdict {
  return { broken: [found(pushed, promised, words)], explained: [] };
}

function explained(pushed: Pushed, promised: Promised, words: string): Verdict {
  return { broken: [], explained: [found(pushed, promised, words)] };
}
