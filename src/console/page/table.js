/** Tables by role: laid out as a grid of rows, on narrow screens as cards, they stay tables to a screen reader. */
import { element, keyed, saying, setText } from './dom.js';
import { locale, word } from './words.js';

/**
 * @param columns each with the name of its words (`head`), a class where it has one, and either `text`, which says what
 *   stands in its cell, or `create`, which fills the cell and returns what brings it up to date; `ticks`: also while its
 *   item is the same
 */
export function createTable(table, { columns, key }) {
  const heads = columns.map(({ head, kind = '' }) =>
    saying('span', head, { role: 'columnheader', class: kind }),
  );
  const body = element('div', { role: 'rowgroup', class: 'rows' });
  table.append(
    element('div', { role: 'rowgroup', class: 'head' }, element('div', { role: 'row' }, ...heads)),
    body,
  );
  return (items) => {
    table.hidden = items.length === 0;
    keyed(body, items, { key, create: (item) => createRow(columns, item) });
  };
}

function createRow(columns, item) {
  const root = element('div', { role: 'row' });
  const updates = columns.map((column, index) => {
    const role = index === 0 ? 'rowheader' : 'cell';
    const { head, kind = '' } = column;
    const cell = element('div', { role, class: kind, 'data-column': head, 'data-label': word(head) });
    root.append(cell);
    return column.create ? column.create(cell, item) : (now) => setText(cell, column.text(now));
  });
  let drawn = { item: null, language: '' };
  return {
    root,
    update: (now) => {
      // Many rows are drawn each second, of which most are as they were.
      const isSame = drawn.item === now && drawn.language === locale();
      drawn = { item: now, language: locale() };
      for (const [index, update] of updates.entries()) if (!isSame || columns[index].ticks) update(now);
    },
  };
}
