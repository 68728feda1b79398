import type { Mark, Phone } from '../simulator/index.ts';

/** One line for what a phone's user, or the platform, sees at a moment; null: nothing worth a line. */
export function lineOf(mark: Mark, startedAt: number): string | null {
  const what = describe(mark);
  if (what === null) return null;
  const seconds = ((mark.at - startedAt) / 1000).toFixed(1).padStart(6);
  const channel = mark.channel === 'wechat' ? 'WeChat  ' : 'WhatsApp';
  return `${seconds} s  ${channel}  ${what}`;
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
