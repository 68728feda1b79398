/** Elements. What comes from outside goes in as text or as an attribute's value, never as HTML. */
import { word } from './words.js';

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/** An element that says the words of that name, also after a change of language. */
export function saying(name, words, attributes = {}) {
  return element(name, { ...attributes, 'data-word': words }, word(words));
}

/** Where nothing has changed nothing is touched: a selection, and what a screen reader reads, stay. */
export function setText(into, text) {
  const said = String(text);
  if (into.textContent !== said) into.textContent = said;
}

export function setAttribute(into, name, value) {
  if (into.getAttribute(name) !== String(value)) into.setAttribute(name, String(value));
}

/** Shows it, or not. */
export function setShown(shown, ...elements) {
  for (const one of elements) if (one.hidden === shown) one.hidden = !shown;
}

const kept = new WeakMap();

/**
 * One child per item, in this order. A child lives for as long as its key is there: focus, selection and what is open
 * stay. `create` gives its `root`, and `update` for whatever changes in it.
 */
export function keyed(parent, items, { key, create }) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const row = before.get(key(item)) ?? create(item);
    row.update(item);
    after.set(key(item), row);
  }
  kept.set(parent, after);
  const gone = [...before].filter(([id]) => !after.has(id)).map(([, { root }]) => root);
  const hadFocus = gone.some((root) => root.contains(document.activeElement));
  for (const root of gone) root.remove();
  arrange(
    parent,
    [...after.values()].map(({ root }) => root),
  );
  if (hadFocus) parent.closest('main > section')?.querySelector('h2')?.focus({ preventScroll: true });
}

/** Moves what is out of place, but never what has the focus: an element that is moved loses it. */
function arrange(parent, roots) {
  let next = parent.firstElementChild;
  for (const root of roots) {
    if (root !== next && root.contains(document.activeElement))
      while (next !== root && next !== null) {
        const later = next.nextElementSibling;
        parent.append(next);
        next = later;
      }
    if (root === next) next = next.nextElementSibling;
    else parent.insertBefore(root, next);
  }
}
