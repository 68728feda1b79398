/** Answers that did not go out: to be run again by hand. */
import { createName, createUser } from './cells.js';
import { ask as askOperator } from './dialog.js';
import { element, saying, setAttribute, setShown, setText } from './dom.js';
import { clock } from './format.js';
import { model, readFailed } from './model.js';
import { errorOf, say } from './said.js';
import { ask } from './server.js';
import { createTable } from './table.js';
import { sentence, word } from './words.js';

const find = (id) => document.getElementById(id);

export function createFailed() {
  const drawTable = createTable(find('failed-jobs'), { columns, key: ({ job }) => job });
  return () => {
    drawTable(model.failed);
    setShown(model.failed.length === 0, find('failed-none'));
  };
}

const columns = [
  { head: 'job', text: ({ job }) => job },
  { head: 'at', text: ({ at }) => (at === null ? '–' : clock(at)) },
  { head: 'user', create: createWhose },
  { head: 'account', create: createName },
  { head: 'why', create: createReason },
  { head: 'action', kind: 'action', create: createRetry },
];

function createWhose(cell) {
  const update = createUser(cell);
  return (job) => update({ user: job.user ?? job.turn });
}

function createReason(cell) {
  const [mark, reason] = [saying('b', 'unknownMark', { class: 'badge' }), element('span')];
  cell.append(mark, ' ', reason);
  return (job) => {
    setShown(job.unknown, mark);
    setText(reason, sentence(job.reason));
  };
}

function createRetry(cell) {
  const button = element('button', { type: 'button' });
  let job = null;
  let busy = false;
  button.addEventListener('click', async () => {
    if (busy) return;
    busy = true;
    await retry(job);
    busy = false;
  });
  cell.append(button);
  return (present) => {
    job = present;
    setText(button, word('retry'));
    setAttribute(button, 'aria-label', word('retryOf', job));
  };
}

async function retry({ job, user, unknown }) {
  const whose = user ?? word('nobody');
  const first = {
    title: word('retryTitle', { job }),
    text: word('retryText', { user: whose }),
    yes: word('retry'),
    yesOf: word('retryOf', { job }),
  };
  if ((await askOperator(first)) === null) return;
  if (unknown && !(await askTwice(whose))) return;
  const answer = await send(job, unknown);
  // What became of it has changed since the list was read.
  if (answer.status === 409 && answer.body?.unknown === true && !unknown) {
    if (await askTwice(whose)) tell(job, await send(job, true));
  } else tell(job, answer);
  await readFailed();
}

async function askTwice(user) {
  return (
    (await askOperator({
      title: word('retryTwiceTitle'),
      text: word('retryTwiceText', { user }),
      yes: word('retryTwice'),
      grave: true,
    })) !== null
  );
}

function send(job, unknown) {
  return ask('POST', `failed/${encodeURIComponent(job)}/retry`, unknown ? { unknown: true } : {});
}

function tell(job, answer) {
  if (answer.ok) say(word('retriedNews', { job }));
  else if (answer.status === 404) say(word('retryGone', { job }));
  else say(word('refusedNews', { error: errorOf(answer) }));
}
