/** Typing: begun only while somebody waits, gone soon after, one call at a time, none refused. */
import { type Interval, litIntervals } from '../../src/simulator/phone.ts';
import type { Mark } from '../../src/simulator/index.ts';
import { seconds } from './judge-answers.ts';
import { type Finding, type Promised, together, type Verdict } from './promises.ts';
import { answerTo, type PlatformCall, type Pushed, type Record, type Struck } from './record.ts';

/** A machine that is busy is so late (ms) with what should come at once, and as long as it stood still before our eyes. */
const slack = 500;
/** WeChat: an indicator that came too late is taken away within this (ms) of when keeptyping could know. */
const undoing = 1_000 + 250;
/** An answer goes back on the platform's own connection: within this (ms) a show on another may have crossed it. */
const crossing = 50;
/** A bot that fails has not answered: keeptyping has heard of it after this (ms). */
const hearing = 1_000;
/** In the calm run, whoever waits for longer than this (ms) has seen typing, and sees it again where it went out. */
const patience = 2_000;

export function judgeTyping(record: Record): Verdict {
  const users = new Map(record.pushes.map((pushed) => [pushed.user, pushed]));
  return together([
    ...[...users.values()].map((pushed) => judgePhone(record, pushed)),
    judgeRefusals(record),
    judgeOneAtATime(record),
  ]);
}

/** From the message to its answer; without one, to when keeptyping had to give it up. */
interface Turn extends Interval {
  text: string;
}

function turnsOf(record: Record, user: string, marks: readonly Mark[]): Turn[] {
  return record.pushes
    .filter((pushed) => pushed.user === user)
    .map((pushed) => {
      const sent = marks.find(({ what, detail }) => what === 'sent' && detail === pushed.text);
      return { text: pushed.text, from: sent?.at ?? pushed.at, to: endOf(record, pushed, marks) };
    });
}

function endOf(record: Record, { text, at }: Pushed, marks: readonly Mark[]): number {
  const received = marks.find(({ what, detail }) => what === 'received' && detail === answerTo(text));
  if (received !== undefined) return received.at;
  const asked = record.asked.filter((call) => call.text === text);
  // What is acknowledged, as garbage is too, may be answered by a send at any time: only the cap ends it.
  const failed = asked.length > 0 && asked.every(({ broken }) => broken !== null && broken !== 'garbage');
  if (!failed) return at + record.cap;
  return Math.max(...asked.map(({ endedAt }) => endedAt ?? Infinity)) + hearing;
}

function judgePhone(record: Record, { user, channel, style }: Pushed): Verdict {
  const marks = record.marks
    .filter((mark) => mark.user === user && mark.channel === channel)
    .toSorted((a, b) => a.at - b.at);
  const turns = turnsOf(record, user, marks);
  const lit = litIntervals(marks, record.lifetimes[channel]);
  const phone = { record, user, channel, marks, turns, lit };
  return together([
    ...marks.filter(({ what }) => what === 'typing-on').map((mark) => judgeShow(phone, mark)),
    ...lit.map((interval) => judgeEnd(phone, interval)),
    ...(record.calm ? turns.map((turn) => judgeShown(phone, turn)) : []),
    // After an acknowledgement it may be shown once only.
    ...(record.calm && style === 'answers' ? marks.map((mark) => judgeRenewed(phone, mark)) : []),
  ]);
}

interface PhoneSeen {
  record: Record;
  user: string;
  channel: 'wechat' | 'nxcloud';
  marks: Mark[];
  turns: Turn[];
  lit: Interval[];
}

/** In one millisecond the order of the marks decides. */
function judgeShow(phone: PhoneSeen, show: Mark): Verdict {
  const { record, user, channel, marks, turns } = phone;
  const before = marks.slice(0, marks.indexOf(show));
  const answered = (text: string): boolean =>
    before.some(({ what, detail }) => what === 'received' && detail === answerTo(text));
  const isOpen = turns.some(({ text, from, to }) => from <= show.at && show.at <= to && !answered(text));
  if (isOpen) return { broken: [], explained: [] };
  const end = Math.max(0, ...turns.map(({ to }) => to).filter((to) => to <= show.at));
  const about = `shown ${show.at - end} ms after the last turn's end`;
  const finding = { promised: 'no typing begins after the answer', who: user, at: show.at } as const;
  const why = whyInFlight(phone, show, end);
  if (why === null) return one('broken', { ...finding, words: about });
  const words = `${about}, ${why.words}`;
  if (channel === 'nxcloud') return one('explained', { ...finding, words });
  const off = phone.lit.find(({ from, to }) => from <= show.at && show.at < to)?.to ?? show.at;
  // Whoever writes again meanwhile waits, and sees it rightly.
  const rightful = Math.min(...turns.map(({ from }) => from).filter((from) => from > show.at));
  const gone = `${words}, gone ${seconds(record, off)}`;
  if (Math.min(off, rightful) <= Math.max(show.at, why.known) + undoing + record.stoodStill)
    return one('explained', { ...finding, words: gone });
  return one('broken', { ...finding, words: `${gone}: not taken back in time` });
}

/** How a show can have been under way already when the turn ended, and from when on keeptyping could know; else null. */
function whyInFlight(
  { record, marks }: PhoneSeen,
  show: Mark,
  end: number,
): { words: string; known: number } | null {
  const struck = record.struck.find((each) => mayHaveHeld(each, { from: end, to: show.at }));
  if (struck !== undefined) return { words: `in flight at ${struck.strike.kind}`, known: struck.to };
  const passive = marks.some(({ at, what, via }) => what === 'received' && via === 'passive' && at === end);
  if (!passive || show.at - end > crossing + record.stoodStill) return null;
  return { words: 'crossed the answer', known: show.at };
}

/**
 * Whether a show that was under way when the turn ended can have been held up, or whoever made it kept from knowing of
 * the end: the fault was there at the end or struck just after it, and the show came before it was over.
 */
function mayHaveHeld({ strike, from, to }: Struck, span: Interval): boolean {
  if (strike.kind === 'platform' || strike.kind === 'bot' || strike.kind === 'term') return false;
  const last = strike.kind === 'kill' ? from + 200 : to + slack;
  return from <= Math.min(span.from + slack, span.to) && span.to <= last;
}

/** What was lit when the last turn ended goes out by itself at the latest. */
function judgeEnd({ record, user, channel, turns }: PhoneSeen, { from, to }: Interval): Verdict {
  const ended = turns.filter((turn) => turn.to >= from && turn.to < to).map((turn) => turn.to);
  const isBetween = (end: number): boolean => !turns.some((turn) => turn.from <= end && turn.to > end);
  const end = ended.toSorted((a, b) => a - b).find(isBetween);
  if (end === undefined) return { broken: [], explained: [] };
  const next = Math.min(to, ...turns.map((turn) => turn.from).filter((start) => start > end));
  const tooLong = next - end - record.lifetimes[channel];
  if (tooLong <= slack + record.stoodStill) return { broken: [], explained: [] };
  const words = `lit ${next - end} ms after its turn's end at ${seconds(record, end)}`;
  return one('broken', { promised: 'no indicator outlives its turn', who: user, at: end, words });
}

function judgeShown({ record, user, lit }: PhoneSeen, { from, to, text }: Turn): Verdict {
  if (to - from < patience) return { broken: [], explained: [] };
  if (lit.some((interval) => interval.from < to && interval.to > from)) return { broken: [], explained: [] };
  const words = `${text} waited ${to - from} ms and saw nothing, ${seconds(record, from)}`;
  return one('broken', { promised: 'whoever waits sees typing', who: user, at: from, words });
}

/** What goes out by itself while somebody waits is shown again; what a message takes away may stay dark for a while. */
function judgeRenewed({ user, marks, turns }: PhoneSeen, off: Mark): Verdict {
  const ends = turns.filter(({ from, to }) => from <= off.at && off.at < to).map(({ to }) => to);
  if (off.what !== 'typing-off' || off.detail !== 'expired' || ends.length === 0)
    return { broken: [], explained: [] };
  const later = marks.slice(marks.indexOf(off) + 1);
  const next = later.find(({ what }) => what === 'typing-on' || what === 'received');
  const dark = Math.min(next?.at ?? Infinity, ...ends) - off.at;
  if (dark <= patience) return { broken: [], explained: [] };
  const words = `typing went out, and was not renewed for ${dark} ms`;
  return one('broken', { promised: 'whoever waits sees typing', who: user, at: off.at, words });
}

/** "already typing" tells of a show whose fate was not known. */
const alreadyTyping = 45081;

function judgeRefusals(record: Record): Verdict {
  const refused = record.calls.filter(({ code }) => code !== null && code !== 0);
  return together(refused.map((call) => judgeRefusal(record, call)));
}

function judgeRefusal(record: Record, call: PlatformCall): Verdict {
  const { channel, user, command, at, code, fault } = call;
  const about = `${command ?? 'a call'} was refused with ${code}`;
  const finding = { promised: 'no call is refused', who: user ?? channel, at } as const;
  if (fault !== null) return one('explained', { ...finding, words: `${about}: the fault itself` });
  const struck = record.struck.find(
    ({ strike, from, to }) =>
      (strike.kind !== 'bot' || strike.how === 'garbage') &&
      from <= at &&
      to + slack >= at - record.lifetimes[channel],
  );
  if (code === alreadyTyping && struck !== undefined) {
    return one('explained', {
      ...finding,
      // An answer that is none takes no indicator away.
      words: `${about}: nobody knew what the phone showed, ${struck.strike.kind}`,
    });
  }
  if (code === alreadyTyping && isCrossed(record, call))
    return one('explained', { ...finding, words: `${about}: it crossed the answer` });
  return one('broken', { ...finding, words: about });
}

/** An answer was on its way on the platform's own connection, and would have taken the indicator away. */
function isCrossed({ marks, stoodStill }: Record, { user, at }: PlatformCall): boolean {
  return marks.some(
    (mark) =>
      mark.user === user &&
      mark.what === 'received' &&
      mark.via === 'passive' &&
      mark.at >= at &&
      mark.at <= at + crossing + stoodStill,
  );
}

const typingCommands = ['Typing', 'CancelTyping', 'typing'];

function judgeOneAtATime(record: Record): Verdict {
  const calls = record.calls.filter(({ command }) => typingCommands.includes(command ?? ''));
  return together(
    calls.map((call, index) => {
      const later = calls.find(
        (other, place) => place > index && other.user === call.user && other.at < (call.endedAt ?? Infinity),
      );
      if (later === undefined) return { broken: [], explained: [] };
      const words = `${call.command} at ${seconds(record, call.at)} was not answered when ${later.command} came at ${seconds(record, later.at)}`;
      const promised: Promised = 'one typing call at a time';
      return one('broken', { promised, who: call.user ?? call.channel, at: later.at, words });
    }),
  );
}

function one(as: 'broken' | 'explained', finding: Finding): Verdict {
  return { broken: as === 'broken' ? [finding] : [], explained: as === 'explained' ? [finding] : [] };
}
