import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeText, fieldsOf, readFields, textOf } from '../../src/wechat/body.ts';
import { growthOf, linear } from '../support/growth.ts';
import { utf8 } from '../support/wechat.ts';

const field = (text: string, name: string) => {
  const fields = readFields(text);
  return fields && textOf(fields, name);
};

describe('a body in XML', () => {
  test('is read with and without CDATA, declaration, BOM and surrounding space', () => {
    const xml = '\uFEFF\n<?xml version="1.0"?>\n<xml> <A>1 &lt; 2</A>\n<B><![CDATA[<b> ]]></B></xml>\n';
    const fields = readFields(decodeText(utf8(xml)));
    expect(fields && [textOf(fields, 'A'), textOf(fields, 'B')]).toEqual(['1 < 2', '<b> ']);
  });

  test.each([
    ['DOCTYPE', '<!DOCTYPE xml [<!ENTITY a "b">]><xml><A>&a;</A></xml>'],
    ['doctype', '<?xml version="1.0"?><!doctype xml><xml><A>1</A></xml>'],
    ['ENTITY', '<xml><!ENTITY a SYSTEM "file:///etc/passwd"><A>&a;</A></xml>'],
    ['lower-case cdata, which parsers treat differently', '<xml><![cdata[<!DOCTYPE a>]]></xml>'],
  ])('with a declaration (%s) is not read', (_, xml) => {
    expect(readFields(xml)).toBeNull();
  });

  test('whose user sends "<!DOCTYPE html>" as text is read', () => {
    expect(field('<xml><Content><![CDATA[<!DOCTYPE html><p>]]></Content></xml>', 'Content')).toBe(
      '<!DOCTYPE html><p>',
    );
  });

  test.each<[string, number, (size: number) => string]>([
    ['50,000 nested elements', 50_000, (size) => '<a>'.repeat(size) + '</a>'.repeat(size)],
    ['50,000 nested elements that look closed', 50_000, (size) => '<a b="/>">'.repeat(size)],
    ['33 levels', 33, (size) => '<a>'.repeat(size) + 'x' + '</a>'.repeat(size)],
    ['200,000 elements side by side', 200_000, (size) => `<xml>${'<a/>'.repeat(size)}</xml>`],
    ['a million openings of comments', 250_000, (size) => '<!--'.repeat(size)],
    ['a million openings of CDATA', 100_000, (size) => `<xml>${'<![CDATA['.repeat(size)}`],
  ])('with %s is refused in no time', (_, size, xml) => {
    expect(readFields(xml(size))).toBeNull();
    expect(growthOf(xml, readFields)).toBeLessThan(linear);
  });

  test('with 32 levels is read', () => {
    expect(readFields('<a>'.repeat(32) + '<b/>' + '</a>'.repeat(32))).not.toBeNull();
  });

  test('with __proto__ and constructor elements changes no prototype and shows none', () => {
    const fields = readFields(
      '<xml><__proto__><polluted>1</polluted></__proto__><constructor>2</constructor></xml>',
    );
    expect(fields && fieldsOf(fields, 'polluted')).toBeNull();
    expect('polluted' in {}).toBe(false);
    expect(field('<xml><a>1</a></xml>', 'toString')).toBeNull();
    expect(field('<xml><a>1</a></xml>', '__proto__')).toBeNull();
  });

  test('that repeats or nests a field where text belongs has no such text', () => {
    expect(field('<xml><A>1</A><A>2</A></xml>', 'A')).toBeNull();
    expect(field('<xml><A><B>1</B></A></xml>', 'A')).toBeNull();
  });

  test.each(['', ' ', '<', '<xml>', '<xml></yml>', '<_>1<_>2</_></_>', 'hello', '<xml>&nbsp;</xml>', '</a>'])(
    'such as %j is not read',
    (xml) => {
      expect(readFields(xml)).toBeNull();
    },
  );
});

describe('a body in JSON', () => {
  test('keeps all digits of a 64-bit MsgId', () => {
    expect(field('{"MsgId":24180351648420683}', 'MsgId')).toBe('24180351648420683');
    expect(field('{"MsgId":-9223372036854775808}', 'MsgId')).toBe('-9223372036854775808');
    expect(field('{"MsgId": 6074130599188426998 ,"A":[123456789012345678]}', 'MsgId')).toBe(
      '6074130599188426998',
    );
  });

  test('keeps digits in strings, fractions and short numbers as they are', () => {
    const text = String.raw`{"Content":"say \"24180351648420683\", 1","CreateTime":1482048670,"Precision":1.1234567890123456789}`;
    expect(field(text, 'Content')).toBe('say "24180351648420683", 1');
    expect(field(text, 'CreateTime')).toBe('1482048670');
    expect(field(text, 'Precision')).toBe('1.1234567890123457');
  });

  test.each([
    'null',
    '[]',
    '[{}]',
    '1',
    '"text"',
    'true',
    '{',
    '{"a":}',
    '{"a":1}}',
    '{"MsgId":0123456789012345}x',
  ])('such as %s is not read', (text) => {
    expect(readFields(text)).toBeNull();
  });

  test('with __proto__ changes no prototype and hides nothing', () => {
    const fields = readFields('{"__proto__":{"FromUserName":"x"}}');
    expect(fields && textOf(fields, 'FromUserName')).toBeNull();
  });

  test.each<[string, (size: number) => string]>([
    ['backslashes', (size) => `{"a":"${'\\\\'.repeat(size / 2)}"}`],
    ['unclosed escapes', (size) => `{"a":"${'\\"'.repeat(size / 2)}`],
    ['quotes', (size) => `{${'"'.repeat(size)}`],
    ['brackets', (size) => `{"a":${'['.repeat(size)}`],
    ['digits', (size) => `{"a":${'1'.repeat(size)}`],
    ['minus signs', (size) => `{"a":${'-'.repeat(size)}`],
  ])('of a megabyte of %s takes no time and no stack', (_, text) => {
    expect(() => readFields(text(1_000_000))).not.toThrow();
    expect(growthOf(text, readFields)).toBeLessThan(linear);
  });

  test('is, with any value of JSON, read as that value or refused', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.maxSafeInteger())), (fields) => {
        const read = readFields(JSON.stringify(fields));
        for (const [name, value] of Object.entries(fields))
          expect(read && textOf(read, name)).toBe(String(value));
      }),
    );
  });
});

test('no bytes whatever make reading throw', () => {
  const markup = fc.constantFrom(
    '<',
    '</',
    '>',
    '/>',
    'a',
    '<a>',
    '</a>',
    '<![CDATA[',
    ']]>',
    '<!--',
    '"',
    '&',
    '{',
  );
  const texts = fc.oneof(
    fc.uint8Array().map(decodeText),
    fc.array(markup, { maxLength: 60 }).map((parts) => parts.join('')),
    fc.string().map((text) => `{${text}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(() => readFields(text)).not.toThrow();
    }),
    { numRuns: 500 },
  );
});
