/** SVG elements; only attributes and text, as the page allows no inline style. */
const namespace = 'http://www.w3.org/2000/svg';

export function svg(name, attributes, ...children) {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}
