/** What a screen reader, a keyboard or weak eyes would stumble over, as far as a program can see it. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** Resolves with one line per problem of what shows now. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  return [...(await page.evaluate<string[]>(`(${audit})()`)), ...(await axeProblems(page))];
}

/** Every rule of axe-core, best practices too. */
export async function axeProblems(page: Page): Promise<string[]> {
  await page.evaluate(`window.axe ?? (() => { ${axe.source} })()`);
  return page.evaluate<
    string[]
  >(`axe.run().then(({ violations }) => violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => id + ' (' + help + '): ' + html.slice(0, 120) + ' ' + failureSummary)))`);
}

/** Runs in the page. Contrast: WCAG 2.2, 1.4.3 (AA). */
const audit = String.raw`() => {
  const problems = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isShown = (one) => one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const told = (one) => one.outerHTML.slice(0, 90);
  const nameOf = (one) => {
    const by = (one.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '');
    const label = one.labels?.[0]?.textContent ?? '';
    return (one.getAttribute('aria-label') ?? '') + by.join('') + label + (one.matches('input, select') ? '' : one.textContent);
  };
  for (const one of all('button, a[href], input, select, summary, [role=table], [role=img], nav, section, dialog[open]'))
    if (isShown(one) && !one.closest('[aria-hidden=true]') && nameOf(one).trim() === '') problems.push('no name: ' + told(one));
  for (const one of all('[tabindex]')) if (one.tabIndex > 0) problems.push('tabindex: ' + told(one));
  const ids = all('[id]').map(({ id }) => id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) problems.push('id twice: ' + id);
  for (const one of all('[aria-labelledby], [aria-describedby], label[for]'))
    for (const id of [one.getAttribute('aria-labelledby'), one.getAttribute('aria-describedby'), one.getAttribute('for')].join(' ').split(' '))
      if (id !== '' && !document.getElementById(id)) problems.push('refers to nothing: ' + told(one));
  for (const selector of ['main', 'body > header', 'h1']) if (all(selector).filter(isShown).length !== 1) problems.push('not one ' + selector);
  const levels = all('h1, h2, h3, h4').filter(isShown).map((one) => Number(one.tagName[1]));
  levels.forEach((level, index) => { if (level > (levels[index - 1] ?? 0) + 1) problems.push('heading skips to ' + level); });
  const inside = { row: ['rowgroup'], rowgroup: ['table'], cell: ['row'], columnheader: ['row'], rowheader: ['row'] };
  for (const one of all('[role]')) {
    const parents = inside[one.getAttribute('role')];
    if (parents && !parents.includes(one.parentElement.getAttribute('role'))) problems.push('role in no place: ' + told(one));
  }
  for (const one of all('button, nav a').filter(isShown)) {
    const { width, height } = one.getBoundingClientRect();
    if (width > 1 && (width < 24 || height < 24)) problems.push('small: ' + told(one));
  }
  const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = (color) => channels(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      const [, , , alpha = 1] = channels(color);
      if (alpha === 1) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const one = text.parentElement;
    if (text.data.trim() === '' || !isShown(one) || one.closest('.hidden, noscript, script, style')) continue;
    const style = getComputedStyle(one);
    const ink = one.ownerSVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) problems.push('contrast ' + ratio.toFixed(2) + ': ' + told(one));
  }
  return problems;
}`;
