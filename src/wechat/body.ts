/** Reads WeChat's two body formats, XML and JSON (a setting of its console), into fields; never throws. */
import { Parser } from 'xml2js';
import { exactFieldsOf, type Fields, isFields, jsonOf } from '../core/wire.ts';

/** Far above any real push, far below what a hostile one needs. */
const maximumDepth = 32;
const maximumElements = 2000;

/** The bytes as text. Bytes that are not UTF-8 become U+FFFD: a broken character must not lose a message. */
export function decodeText(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** What the bytes say as JSON; null when they are none. */
export function jsonIn(body: Uint8Array): unknown {
  return jsonOf(decodeText(body));
}

/**
 * The fields of an XML or JSON body, or null when it is neither.
 * @param how.trim Blanks around the values of XML are not part of them: bots write it by hand.
 */
export function readFields(text: string, { trim = false } = {}): Fields | null {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) return exactFieldsOf(trimmed);
  if (!trimmed.startsWith('<') || !isTameXml(trimmed)) return null;
  return readXml(trim ? withoutBlanks(trimmed) : trimmed);
}

/** Drops the blanks beside tags and CDATA; those inside CDATA are the text's own. */
function withoutBlanks(xml: string): string {
  return xml.replace(/<!\[CDATA\[[^]*?\]\]>|<[^>]*>\s*|\s+/g, (token, at: number) => {
    if (token.startsWith('<![CDATA[')) return token;
    if (token.startsWith('<')) return token.trimEnd();
    return xml[at + token.length] === '<' ? '' : token;
  });
}

/** A field as text, where it is text or a number; own properties only, so no name reaches a prototype. */
export function textOf(fields: Fields, name: string): string | null {
  const value = Object.hasOwn(fields, name) ? fields[name] : null;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : null;
}

/** A field that holds fields; the first one where there are several. */
export function fieldsOf(fields: Fields, name: string): Fields | null {
  const value = Object.hasOwn(fields, name) ? fields[name] : null;
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return isFields(first) ? first : null;
}

function readXml(text: string): Fields | null {
  const read: { root: unknown } = { root: null };
  try {
    // A parser per body: xml2js keeps its state between calls. Without `async` it calls back before it returns.
    const parser = new Parser({ explicitArray: false, explicitRoot: false, ignoreAttrs: true });
    parser.parseString(text, (error: Error | null, root: unknown) => {
      if (error === null) read.root = root;
    });
  } catch {
    return null;
  }
  return isFields(read.root) ? read.root : null;
}

/**
 * One pass before parsing: no DOCTYPE, entity or other declaration, bounded depth and number of elements. Inside
 * CDATA anything may stand: users do send `<!DOCTYPE html>` to bots.
 */
function isTameXml(text: string): boolean {
  let depth = 0;
  let elements = 0;
  for (let at = text.indexOf('<'); at !== -1;) {
    const end = endOfMarkup(text, at);
    if (end === -1) return false;
    if (text[at + 1] === '/') depth -= 1;
    else if (/[^!?]/.test(text.charAt(at + 1))) {
      elements += 1;
      if (text[end - 1] !== '/') depth += 1;
    }
    if (depth > maximumDepth || elements > maximumElements) return false;
    at = text.indexOf('<', end);
  }
  return true;
}

/** Where the markup that begins at `at` ends; -1 when it does not end or is a declaration. */
function endOfMarkup(text: string, at: number): number {
  if (text.startsWith('<![CDATA[', at)) return text.indexOf(']]>', at);
  if (text.startsWith('<!--', at)) return text.indexOf('-->', at + 4);
  if (text.startsWith('<?', at)) return text.indexOf('?>', at);
  return text.startsWith('<!', at) ? -1 : endOfTag(text, at);
}

/** A `>` inside an attribute's quotes does not end a tag. */
function endOfTag(text: string, from: number): number {
  let quote: string | null = null;
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== null) quote = character === quote ? null : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at;
  }
  return -1;
}
