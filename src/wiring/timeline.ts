import type { Mark, Phone } from '../simulator/index.ts';

/** A line for what a phone's user, or the platform, sees at a moment; null: nothing worth a line. */
export function createTimeline(startedAt: number): (mark: Mark) => string | null {
  // Phones whose indicator has been on since their user's last message.
  const typed = new Set<string>();
  return (mark) => {
    const renewed = mark.what === 'typing-on' && typed.has(mark.user);
    if (mark.what === 'typing-on') typed.add(mark.user);
    if (mark.what === 'sent') typed.delete(mark.user);
    const what = renewed ? 'indicator ● typing… (renewed)' : describe(mark);
    if (what === null) return null;
    const seconds = ((mark.at - startedAt) / 1000).toFixed(1).padStart(6);
    return `${seconds} s  ${mark.channel === 'wechat' ? 'WeChat  ' : 'WhatsApp'}  ${what}`;
  };
}

function describe({ what, detail }: Mark): string | null {
  switch (what) {
    case 'sent':
      return `user      ▸ ${detail}`;
    case 'typing-on':
      return 'indicator ● typing…';
    case 'typing-off':
      return `indicator ○ off (${detail})`;
    case 'received':
      return `bot       ◂ ${detail}`;
    case 'refused':
      return `platform  ✗ refused a call (${detail})`;
    case 'wasted':
      return `platform  ✗ a call changed nothing (${detail})`;
    case 'notice':
      return `platform  ✗ “service unavailable” (${detail})`;
    case 'handed-over':
      return 'platform    handed over to a human';
    case 'read':
    case 'call':
      return null;
  }
}

/** What a turn was like for its user, from the message to the answer. */
export function summaryOf(phone: Phone, span: { from: number; to: number }): string {
  const waited = ((span.to - span.from) / 1000).toFixed(1);
  const cover = (phone.cover(span.from, span.to) * 100).toFixed(1);
  const dark = phone.ghost(span.to) === 0 ? 'nothing after the answer' : 'a ghost after the answer';
  return `waited ${waited} s, typing was shown for ${cover} % of it, ${dark}`;
}
