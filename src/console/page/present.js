/** How one conversation stands now. */
import { element, saying, setShown, setText } from './dom.js';
import { clock, ticking } from './format.js';
import { createIndicator } from './indicator.js';
import { accountName, now } from './model.js';
import { createPause } from './pause.js';
import { ask, pathOf } from './server.js';
import { named, word } from './words.js';

/** Those that the server can tell of. */
export async function readPresent(conversations) {
  const views = await Promise.all(
    conversations.map(async (conversation) => {
      const { ok, body } = await ask('GET', pathOf(conversation));
      return ok ? [{ ...conversation, ...body, id: pathOf(conversation) }] : [];
    }),
  );
  return views.flat();
}

export function createPresent(changed) {
  const [who, shows, waits] = [element('span', { class: 'id' }), element('p'), element('ul')];
  const [sends, last, actions] = [element('li'), element('li'), element('p')];
  const drawIndicator = createIndicator(shows);
  const drawPause = createPause(actions, changed);
  const root = element(
    'article',
    { class: 'card present' },
    element('h3', {}, saying('span', 'now'), ' · ', who),
    shows,
    waits,
    actions,
  );
  const waiting = element('li');
  waits.append(waiting, sends, last);
  return {
    root,
    update: (view) => {
      setText(who, `${view.user} · ${accountName(view)}`);
      drawIndicator(view);
      drawPause(view);
      setText(waiting, waitOf(view));
      setText(sends, word(view.sends.left === null ? 'noSends' : 'sends', view.sends));
      setShown(view.lastEnded !== null, last);
      if (view.lastEnded !== null)
        setText(
          last,
          word('lastEnd', { time: clock(view.lastEnded.at), by: named('evidence', view.lastEnded.by) }),
        );
    },
  };
}

function waitOf({ turns }) {
  if (turns.length === 0) return named('reason', 'nobody_waits');
  const wait = word('waitingFor', { wait: ticking(now() - turns[0].openedAt) });
  return turns.length === 1 ? wait : `${wait} · ${word('messages', { n: turns.length })}`;
}
