/** One wait: what came of it, a picture, and everything that happened. */
import { element, keyed, setAttribute, setShown, setText } from './dom.js';
import { clock, precise, ticking } from './format.js';
import { accountName, now } from './model.js';
import { sayEvent, sayNotice, sayOutcome } from './say.js';
import { svg } from './svg.js';
import { named, word } from './words.js';

/** What the card keeps free on both sides (pixels). */
const margins = 34;

export function createTurn({ turn }) {
  const [time, who, code] = [element('time'), element('span', { class: 'id' }), element('code')];
  const [outcome, picture] = [element('p', { class: 'outcome' }), element('div', { class: 'wait' })];
  const list = element('ol', { class: 'events' });
  const root = element(
    'article',
    { class: 'card turn' },
    element('h3', {}, time, ' ', who, ' ', code),
    outcome,
  );
  root.append(picture, list);
  return {
    root,
    update: (group) => {
      setText(time, clock(group.begun));
      setText(who, turn === null ? word('outside') : `${group.user} · ${accountName(group)}`);
      setText(code, turn ?? '');
      setShown(turn !== null, code, outcome, picture);
      const { said, tone } = outcomeOf(group);
      setText(outcome, said);
      setAttribute(outcome, 'data-tone', tone);
      if (turn !== null) draw(picture, group);
      keyed(list, linesOf(group), { key: ({ id }) => id, create: createLine });
    },
  };
}

function outcomeOf({ ended, skipped, arrival, begun }) {
  if (ended) return { said: sayOutcome(ended), tone: ended.untyped === null ? 'good' : 'bad' };
  if (skipped) return { said: `${word('noTyping')}: ${named('reason', skipped.reason)}`, tone: 'off' };
  if (arrival?.opensTurn === false) return { said: word('noTyping'), tone: 'off' };
  return { said: `${word('stillOpen')} · ${ticking(now() - begun)}`, tone: 'warn' };
}

function linesOf({ entries, begun, turn, arrival, ended }) {
  // Within a wait it is plain whose it is.
  const lines = entries.map(({ id, notice }) => ({
    id,
    notice,
    says: () => (turn === null ? sayEvent(notice) : sayNotice(notice, isRepeat(notice, arrival))),
    time: turn === null ? clock(notice.at) : `+${precise(notice.at - begun)}`,
  }));
  const before = { id: 'before', notice: null, says: () => word('begunBefore'), time: '' };
  return arrival === null && ended !== null ? [before, ...lines] : lines;
}

function isRepeat(notice, arrival) {
  return notice.is === 'inbound' && notice !== arrival;
}

function createLine() {
  const [time, text] = [element('time'), element('span')];
  const root = element('li', {}, time, ' ', text);
  return {
    root,
    update: (line) => {
      setText(time, line.time);
      setText(text, line.says());
      setAttribute(root, 'data-tone', toneOf(line.notice));
    },
  };
}

function toneOf(notice) {
  if (notice?.is === 'call') return isAccepted(notice) ? 'good' : 'bad';
  if (notice?.is === 'delivery') return ['inline', 'sent', 'passed'].includes(notice.way) ? 'good' : 'bad';
  if (notice?.is === 'bot') return notice.result === 'answered' ? 'good' : 'bad';
  return 'off';
}

function isAccepted({ outcome }) {
  return outcome === 'done' || outcome === 'already';
}

/** The same is said in the list: the picture is for the eye alone. */
function draw(into, { entries, begun, ended, skipped }) {
  const calls = entries.map(({ notice }) => notice).filter(({ is }) => is === 'call');
  const last = entries.at(-1)?.notice.at ?? begun;
  const to = ended?.at ?? Math.max(last, Math.floor(now() / 1_000) * 1_000);
  const span = Math.max(last, to) - begun;
  setShown(skipped === null && span > 0, into);
  const width = Math.max(200, document.getElementById('found').clientWidth - margins);
  const asked = `${width} ${begun} ${to} ${last} ${calls.length}`;
  if (into.dataset.drawn === asked || span <= 0) return;
  into.dataset.drawn = asked;
  const x = (at) => (Math.max(0, at - begun) / span) * (width - 16) + 8;
  const marks = calls.map((call) =>
    isAccepted(call)
      ? svg('path', { class: call.kind === 'hide' ? 'hide' : 'accepted', d: `M${x(call.at)} 18v10` })
      : svg('path', { class: 'refused', d: `M${x(call.at) - 4} 19l8 8m0 -8l-8 8` }),
  );
  const end = ended ? [svg('path', { class: 'end', d: `M${x(to)} 0l7 8l-7 8l-7 -8z` })] : [];
  const bar = svg('rect', { class: 'bar', x: x(begun), y: 3, width: x(to) - x(begun), height: 10, rx: 2 });
  const box = { width, height: 30, viewBox: `0 0 ${width} 30`, 'aria-hidden': 'true' };
  into.replaceChildren(svg('svg', box, bar, ...marks, ...end));
}
