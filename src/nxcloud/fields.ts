/** Reading JSON whose shape nobody guarantees: what is not as expected is absent. Nothing here throws. */

export type Fields = Readonly<Record<string, unknown>>;

/** Longer than any id or phone number that WhatsApp gives; longer ones would only fill Redis. */
const longestId = 1024;

/** null when the bytes are not JSON, or JSON of another kind than an object. */
export function parseFields(bytes: Uint8Array): Fields | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The objects of an array. */
export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** A string that can be an id. Numbers are not: beyond 2^53 JSON.parse has already rounded them. */
export function idOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= longestId ? value : null;
}

/** A user's id: a phone number without "+", as in `messages[].from`, or a BSUID. */
export function userOf(value: unknown): string | null {
  return idOf(idOf(value)?.replace(/^\+/, ''));
}

/** A phone number's digits. */
export function phoneOf(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : idOf(value);
  return idOf(text?.replace(/\D/g, ''));
}

/** Whole seconds since 1970, which NXCloud writes as a string; 0 when it says none. */
export function secondsOf(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^\d{1,12}$/.test(text) ? Number(text) : 0;
}

/** An error or result code: `100.0` is 100, and so is `"100"`. */
export function codeOf(value: unknown): number | null {
  const code = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof code === 'number' && Number.isSafeInteger(code) ? code : null;
}
