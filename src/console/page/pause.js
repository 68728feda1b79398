/** A human takes the conversation, or gives it back. */
import { ask as askOperator } from './dialog.js';
import { element, setAttribute, setText } from './dom.js';
import { clock, date } from './format.js';
import { notePause, noteResume, now } from './model.js';
import { errorOf, say } from './said.js';
import { ask, pathOf } from './server.js';
import { word } from './words.js';

const lengths = [600, 1_800, 3_600, 28_800, null];
/** A pause without an end is told as one of a year (ms). */
const year = 365 * 86_400_000;
const longest = 30 * 86_400_000;

/** A button that pauses or resumes. `changed`: called when it has. */
export function createPause(into, changed = () => {}) {
  const button = element('button', { type: 'button' });
  let row = null;
  let busy = false;
  button.addEventListener('click', async () => {
    if (busy) return;
    busy = true;
    await (row.pausedUntil === null ? pause(row) : resume(row));
    busy = false;
    changed();
  });
  into.append(button);
  return (present) => {
    row = present;
    const action = row.pausedUntil === null ? 'pause' : 'resume';
    setText(button, word(action));
    setAttribute(button, 'aria-label', word(`${action}Of`, row));
  };
}

export function pausedTo(until) {
  return word('pausedTo', { time: until - now() > longest ? date(until) : clock(until) });
}

async function pause(row) {
  const { user } = row;
  const chosen = await askOperator({
    title: word('pauseTitle', { user }),
    text: word('pauseText'),
    yes: word('pause'),
    choices: lengths.map((seconds) => [String(seconds), word(`pause.${seconds}`)]),
  });
  if (chosen === null) return;
  const asked = chosen === 'null' ? {} : { seconds: Number(chosen) };
  // Noted first: its row, and the focus in it, stay when the wait goes before the answer comes.
  notePause(row, now() + (asked.seconds * 1_000 || year));
  const answer = await ask('PUT', `${pathOf(row)}/pause`, asked);
  const until = answer.body?.until ?? null;
  if (answer.ok) notePause(row, until ?? now() + year);
  else noteResume(row);
  const isLong = until === null || until - now() > longest;
  tell(answer, isLong ? word('pausedLong', { user }) : word('pausedNews', { user, time: clock(until) }));
}

async function resume(row) {
  const answer = await ask('DELETE', `${pathOf(row)}/pause`, {});
  if (answer.ok) noteResume(row);
  tell(answer, word('resumedNews', row));
}

function tell(answer, done) {
  say(answer.ok ? done : word('refusedNews', { error: errorOf(answer) }));
}
