/** What stands in the cells of several tables. */
import { element, setAttribute, setText } from './dom.js';

export function createName(cell) {
  const [account, channel] = [element('b'), element('small')];
  cell.append(account, ' ', channel);
  return (row) => {
    setText(account, row.account);
    setText(channel, row.channel);
  };
}

/** A coloured dot, and the word beside it. */
export function createMark(cell) {
  const mark = element('span', { class: 'mark' });
  const [dot, text] = [element('i', { 'aria-hidden': 'true' }), element('span')];
  mark.append(dot, text);
  cell.append(mark);
  return (tone, said) => {
    setAttribute(mark, 'data-tone', tone);
    setText(text, said);
  };
}

/** Leads to what is known of the user. */
export function createUser(cell) {
  const link = element('a', { class: 'id' });
  cell.append(link);
  return ({ user }) => {
    setText(link, user);
    setAttribute(link, 'href', `#search?${new URLSearchParams({ q: user })}`);
  };
}
