/** Everything that happened in a wait, in words. */
import { marksOf, ways } from './model.js';
import { word } from './words.js';

const names = {
  sent: 'markSent',
  'typing-on': 'markOn',
  'typing-off': 'markOff',
  received: 'markReceived',
  call: 'markCall',
  refused: 'markRefused',
  wasted: 'markWasted',
  read: 'markRead',
  notice: 'markNotice',
  'handed-over': 'markHandedOver',
};
const causes = { expired: 'expired', cancelled: 'cancelled', message: 'byMessage' };
const longest = 200;

export function drawList(model, channel, into) {
  const from = model.from[channel];
  const marks = ways.flatMap((way) => marksOf(model, channel, way));
  const lines = marks.toSorted((a, b) => a.at - b.at).slice(-longest);
  into.replaceChildren(
    ...lines.map(({ at, way, what, detail }) => {
      const line = document.createElement('li');
      const seconds = word('seconds', { n: ((at - from) / 1000).toFixed(1) });
      const cause = what === 'typing-off' ? word(causes[detail] ?? detail) : detail;
      line.textContent = `${seconds} · ${word(way)} · ${word(names[what] ?? what, { detail: cause })}`;
      return line;
    }),
  );
}
