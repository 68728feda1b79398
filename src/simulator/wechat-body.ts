/** WeChat's bodies, in the two formats that its console offers. */
import { Parser } from 'xml2js';
import { asObject, readObject, type JsonObject } from './json.ts';

export type Format = 'xml' | 'json';
/** A bigint is written as bare digits in both formats, as WeChat writes its 64-bit MsgId. */
export type Field = string | number | bigint | Fields;
export interface Fields {
  [name: string]: Field;
}

export function renderBody(fields: Fields, format: Format): string {
  return format === 'xml' ? `<xml>${xmlFields(fields)}</xml>` : jsonFields(fields);
}

/** The fields of a body in this format, or null when it is none. */
export function parseBody(text: string, format: Format): JsonObject | null {
  return format === 'xml' ? parseXml(text) : readObject(text);
}

function xmlFields(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `<${name}>${xmlValue(value)}</${name}>`)
    .join('');
}

function xmlValue(value: Field): string {
  if (typeof value === 'object') return xmlFields(value);
  if (typeof value !== 'string') return String(value);
  return `<![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

function jsonFields(fields: Fields): string {
  const members = Object.entries(fields).map(
    ([name, value]) => `${JSON.stringify(name)}:${jsonValue(value)}`,
  );
  return `{${members.join(',')}}`;
}

function jsonValue(value: Field): string {
  if (typeof value === 'object') return jsonFields(value);
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function parseXml(text: string): JsonObject | null {
  let root: unknown = null;
  try {
    new Parser({ explicitArray: false, async: false }).parseString(text, (error, result: unknown) => {
      root = error === null ? result : null;
    });
  } catch {
    return null;
  }
  return asObject(asObject(root)?.['xml']);
}
