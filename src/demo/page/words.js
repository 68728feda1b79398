/** What the page says, in two languages. */
import { english } from './english.js';
import { chinese } from './chinese.js';

const languages = { en: english, zh: chinese };
let current = english;

/** The word of that name; `{name}` in it is replaced by the value of that name. */
export function word(name, values = {}) {
  return (current[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''));
}

export function browserLanguage() {
  return /^zh\b/i.test(navigator.language) ? 'zh' : 'en';
}

/** Says everything that stands in the page in this language. */
export function speak(language) {
  const before = current;
  current = languages[language];
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = `keeptyping: ${word('title')}`;
  for (const element of document.querySelectorAll('[data-word]'))
    element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll('[data-word-label]')) {
    element.setAttribute('aria-label', word(element.dataset.wordLabel));
  }
  for (const link of document.querySelectorAll('[data-word-href]')) link.href = word(link.dataset.wordHref);
  for (const input of document.querySelectorAll('[data-word-value]')) {
    const sample = input.dataset.wordValue;
    // What the visitor has typed stays.
    if (input.value === '' || input.value === before[sample]) input.value = word(sample);
  }
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === language));
  }
}
