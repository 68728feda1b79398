/** What the fuzzer throws: values that nobody sends, and bytes that somebody broke. All of it comes from the dice alone. */
import type { Dice } from '../chaos/random.ts';

/** What has broken parsers, here or elsewhere. */
const words = [
  '',
  ' ',
  '0',
  '-1',
  '1e309',
  '9007199254740993',
  '18446744073709551616',
  '0x10',
  'null',
  'true',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'text',
  'event',
  'CLICK',
  'user_enter_tempsession',
  'unsubscribe',
  'kf_create_session',
  'transfer_customer_service',
  'success',
  'sent',
  'system',
  'reaction',
  'group',
  '10000000000',
  '+86 133 2023-7446',
  'oOpenid_-1',
  'wamid.HBgNODYxMzMyMDIzNzQ0NhUCABEYEjkz=',
  'CN.13491208655302741918',
  'a:b',
  'a/b',
  'a b',
  '{keeptyping}',
  ']]>',
  '<![CDATA[',
  '<!DOCTYPE x [<!ENTITY a "b">]>',
  '&lt;&amp;&#0;&#x110000;',
  '%00',
  '%2e%2e%2f',
  '\\',
  '\u0000',
  '\u202e',
  '\ud800',
  '\uffff',
  'é'.normalize('NFD'),
  '你好👋🏽',
  'İ',
] as const;

/** Now and then far longer than any real one. */
export function wordOf(dice: Dice): string {
  if (dice.chance(0.7)) return dice.pick(words);
  if (dice.chance(0.1))
    return dice.pick(words).padEnd(dice.between(1, 70_000), dice.pick(['7', 'x', ':', '=']));
  return Array.from({ length: dice.between(0, 30) }, () =>
    String.fromCharCode(dice.between(0, dice.pick([0x7f, 0xff, 0xffff]))),
  ).join('');
}

/** Any JSON value. */
export function valueOf(dice: Dice, depth = 0): unknown {
  const kinds = ['word', 'word', 'number', 'odd', ...(depth < 5 ? ['list', 'object'] : [])];
  switch (dice.pick(kinds)) {
    case 'number':
      return dice.pick([0, -0, 1, 7.5, -1, 1e21, Number.MAX_SAFE_INTEGER, 1_714_037_059]);
    case 'odd':
      return dice.pick([null, true, false, [], {}]);
    case 'list':
      return Array.from({ length: dice.between(0, 4) }, () => valueOf(dice, depth + 1));
    case 'object':
      return objectOf(dice, {}, depth + 1);
    default:
      return wordOf(dice);
  }
}

/** These fields, some of them replaced, dropped or joined by others. */
export function objectOf(dice: Dice, fields: object, depth = 0): object {
  const kept = Object.entries(fields).filter(() => !dice.chance(0.05));
  const changed = kept.map(([name, value]) => [name, dice.chance(0.1) ? valueOf(dice, depth) : value]);
  const more = Array.from({ length: dice.chance(0.2) ? dice.between(1, 3) : 0 }, () => [
    wordOf(dice),
    valueOf(dice, depth),
  ]);
  return Object.fromEntries([...changed, ...more]) as object;
}

/** Sometimes as it was, sometimes broken in a few places. */
export function brokenBytes(dice: Dice, bytes: Uint8Array): Uint8Array {
  if (dice.chance(0.6)) return bytes;
  let broken = Buffer.from(bytes);
  for (let times = dice.between(1, 4); times > 0; times -= 1) {
    const at = dice.between(0, broken.length);
    const to = Math.min(broken.length, at + dice.between(0, 40));
    const [head, part, tail] = [broken.subarray(0, at), broken.subarray(at, to), broken.subarray(to)];
    const other = dice.pick([
      Buffer.alloc(0),
      Buffer.concat([part, part]),
      Buffer.from(part.map((byte) => byte ^ (1 << dice.between(0, 7)))),
      Buffer.from(wordOf(dice)),
      Buffer.from(Array.from({ length: dice.between(1, 9) }, () => dice.between(0, 255))),
    ]);
    broken = Buffer.concat([head, other, tail]);
  }
  return broken;
}

export function brokenText(dice: Dice, text: string): string {
  return Buffer.from(brokenBytes(dice, Buffer.from(text))).toString('latin1');
}

/** XML as platforms and careless people write it; values may break out of it. */
export function xmlIn(dice: Dice, fields: object): string {
  const inner = Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'object' && value !== null ? xmlIn(dice, value) : String(value);
    return `<${name}>${dice.chance(0.7) ? `<![CDATA[${text}]]>` : text}</${name}>${dice.pick(['', '', '\n'])}`;
  });
  if (dice.chance(0.03)) return `${'<a>'.repeat(dice.between(0, 3_000))}${inner.join('')}`;
  const open = dice.chance(0.1) ? '<?xml version="1.0"?><xml a="b">' : '<xml>';
  return `${open}${inner.join('')}</xml>`;
}
