/** What the page says, in the language that it is asked in: only that one is loaded. */

const languages = {
  en: async () => [(await import('./english.js')).english, (sentence) => sentence],
  // The sentences come from src/core/chinese.ts.
  zh: async () => [(await import('./chinese.js')).chinese, (await import('./sentences.js')).inChinese],
};
const stored = 'keeptyping-language';
let language = 'en';
let words = {};
let translate = (sentence) => sentence;

/** The words of that name; `{name}` in them is replaced by the value of that name. */
export function word(name, values = {}) {
  const said = words[name] ?? name;
  return said.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''));
}

/** The words for something that the server names; what this page does not know yet is shown as it is called. */
export function named(group, name) {
  const key = `${group}.${name}`;
  return Object.hasOwn(words, key) ? word(key) : String(name);
}

/** What the server says in a sentence of its own. */
export function sentence(english) {
  return translate(english);
}

export function locale() {
  return language === 'zh' ? 'zh-CN' : 'en-GB';
}

/** What was chosen last, else the first language of the browser that there are words for. */
export function preferredLanguage() {
  const wished = [recall(), ...navigator.languages].find((one) => /^(en|zh)\b/i.test(one ?? ''));
  return /^zh/i.test(wished ?? '') ? 'zh' : 'en';
}

export async function chooseLanguage(chosen) {
  try {
    localStorage.setItem(stored, chosen);
  } catch {
    // It holds for as long as the page is open.
  }
  await speak(chosen);
}

/** Loads the words of a language. */
export async function learn(chosen) {
  [words, translate] = await languages[chosen]();
  language = chosen;
}

/** Says everything that stands in the page in this language. */
export async function speak(chosen) {
  await learn(chosen);
  document.documentElement.lang = locale();
  sayIn(document);
  for (const button of document.querySelectorAll('[data-language]'))
    button.setAttribute('aria-pressed', String(button.dataset.language === chosen));
}

/** Elements say by attribute which words are theirs: `data-word` as text, `data-word-label` to screen readers. */
export function sayIn(root) {
  for (const one of root.querySelectorAll('[data-word]')) one.textContent = word(one.dataset.word);
  for (const one of root.querySelectorAll('[data-word-label]'))
    one.setAttribute('aria-label', word(one.dataset.wordLabel));
  for (const one of root.querySelectorAll('[data-column]')) one.dataset.label = word(one.dataset.column);
}

function recall() {
  try {
    return localStorage.getItem(stored);
  } catch {
    return null;
  }
}
