/** Log in: the token goes to the server, and nowhere else. */
import { setShown, setText } from './dom.js';
import { errorOf } from './said.js';
import { ask } from './server.js';
import { word } from './words.js';

const find = (id) => document.getElementById(id);

/** @param entered called when somebody is logged in */
export function listenToLogin(entered) {
  let busy = false;
  find('login').addEventListener('submit', (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    void logIn(entered).finally(() => (busy = false));
  });
}

/** Whether there is anything to log in with, and so to log out of. */
export async function hasLogin() {
  const { body } = await ask('GET', 'session');
  return body?.login !== false;
}

const linked = /^#login=([\w-]{1,200})$/;

/** Whether the page was opened by a link that logs in. */
export function isLink() {
  return linked.test(location.hash);
}

/** Logs in by the link's code, which is no more in the address then. @returns why it did not; null: it did */
export async function logInByLink() {
  const [, code] = linked.exec(location.hash) ?? [];
  history.replaceState(null, '', location.pathname);
  const answer = await ask('POST', 'session', { code });
  if (answer.ok) return null;
  return answer.status === 401 ? () => word('linkOver') : () => errorOf(answer);
}

async function logIn(entered) {
  const answer = await ask('POST', 'session', { token: find('token').value });
  if (!answer.ok) return refuse(() => wrongOf(answer));
  find('login').reset();
  showWrong();
  entered();
}

let said = null;

/** Says it, and again in another language. */
export function refuse(says) {
  said = says;
  showWrong(says());
  find('token').select();
}

export function sayWrongAgain() {
  if (said !== null && !find('login-wrong').hidden) showWrong(said());
}

function showWrong(sentence = '') {
  setShown(sentence !== '', find('login-wrong'));
  setText(find('login-wrong'), sentence);
}

function wrongOf(answer) {
  return answer.status === 401 ? word('wrongToken') : errorOf(answer);
}
