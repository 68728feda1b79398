/** One question at a time, in a dialog: the focus returns to where it was. */
import { element, setAttribute, setShown, setText } from './dom.js';

const find = (id) => document.getElementById(id);

/**
 * Resolves with null when it is declined, else with the chosen value, or true where there is nothing to choose.
 *
 * @param choices `[value, words]`, the first is preselected
 * @param grave the harmless answer has the focus
 */
export function ask({ title, text, yes, yesOf = yes, choices = [], grave = false }) {
  const dialog = find('dialog');
  const choice = find('dialog-choices');
  setText(find('dialog-title'), title);
  setText(find('dialog-text'), text);
  setText(find('dialog-yes'), yes);
  setAttribute(find('dialog-yes'), 'aria-label', yesOf);
  setShown(choices.length > 0, find('dialog-choice'));
  choice.replaceChildren(...choices.map(([value, words]) => element('option', { value }, words)));
  dialog.classList.toggle('grave', grave);
  dialog.returnValue = '';
  dialog.showModal();
  (choices.length > 0 ? choice : find(grave ? 'dialog-no' : 'dialog-yes')).focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        refocus();
        if (dialog.returnValue !== 'yes') return resolve(null);
        resolve(choices.length > 0 ? choice.value : true);
      },
      { once: true },
    );
  });
}

export function listenToDialog() {
  const dialog = find('dialog');
  dialog.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    dialog.close('yes');
  });
  find('dialog-no').addEventListener('click', () => dialog.close());
}

/** What the question was about may be gone by now. */
function refocus() {
  if (document.activeElement !== document.body) return;
  document.querySelector('main > section:not([hidden]) h2')?.focus({ preventScroll: true });
}
