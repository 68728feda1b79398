import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AddressKind, reachOf } from '../../src/accounts/urls.ts';

const known: Record<AddressKind, string[]> = {
  never: [
    '0.0.0.0',
    '0.1.2.3',
    '100.64.0.1',
    '100.100.100.200',
    '100.127.255.255',
    '168.63.129.16',
    '169.254.169.254',
    '169.254.0.23',
    '192.0.0.192',
    '192.0.2.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::ffff:169.254.169.254',
    '::ffff:0:169.254.169.254',
    '::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2001:db8::1',
    '3fff::1',
    '100::1',
    '5f00::1',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'ff02::1',
    'fd00:ec2::254',
    'FD00:0EC2:0:0:0:0:0:254',
    'fd20:ce::254',
    'fd00:42::42',
    'fd00:c1::a9fe:a9fe',
    'localhost',
    'example.com',
    '',
    '1.2.3',
    '0x7f.0.0.1',
  ],
  private: [
    '10.0.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:7f00:1::',
    'fc00::1',
    'fd12:3456::1',
    'fec0::1',
  ],
  public: [
    '1.1.1.1',
    '100.63.255.255',
    '100.128.0.1',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.1',
    '192.167.255.255',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '::ffff:1.1.1.1',
    '64:ff9b::1.1.1.1',
    '2002:101:101::1',
  ],
};

describe.each(Object.entries(known))('%s', (reach, addresses) => {
  test.each(addresses)('%j', (address) => {
    expect(reachOf(address)).toBe(reach);
  });
});

/** The registries once more, as arithmetic: what is written twice must agree. */
function expected([a = 0, b = 0, c = 0, d = 0]: readonly number[]): AddressKind {
  const special =
    [0].includes(a) ||
    a >= 224 ||
    (a === 100 && b >= 64 && b <= 127) ||
    (a === 169 && b === 254) ||
    (a === 192 && b === 0 && (c === 0 || c === 2)) ||
    (a === 192 && b === 88 && c === 99) ||
    (a === 198 && b === 51 && c === 100) ||
    (a === 203 && b === 0 && c === 113) ||
    (a === 168 && b === 63 && c === 129 && d === 16);
  if (special) return 'never';
  const near =
    a === 10 ||
    a === 127 ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 198 && (b === 18 || b === 19));
  return near ? 'private' : 'public';
}

/** Any address, those of the registries often. */
const octets = fc.oneof(
  fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
  fc.tuple(
    fc.constantFrom(0, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224, 240, 255),
    fc.constantFrom(0, 16, 18, 31, 51, 63, 64, 88, 127, 168, 254),
    fc.constantFrom(0, 2, 99, 100, 113, 129, 169, 255),
    fc.constantFrom(0, 1, 16, 254, 255),
  ),
);

const hex = (high: number, low: number): string => ((high << 8) | low).toString(16);

test('every IPv4 address is what the registries say, and so is every spelling of it that IPv6 has', () => {
  fc.assert(
    fc.property(octets, ([a, b, c, d]) => {
      const reach = expected([a, b, c, d]);
      const [dotted, high, low] = [`${a}.${b}.${c}.${d}`, hex(a, b), hex(c, d)];
      expect(reachOf(dotted)).toBe(reach);
      const spellings = [
        `::ffff:${dotted}`,
        `::FFFF:${high}:${low}`,
        `0:0:0:0:0:ffff:${high}:${low}`,
        `::ffff:0:${dotted}`,
        `64:ff9b::${dotted}`,
        `64:ff9b:0:0:0:0:${high}:${low}`,
        `2002:${high}:${low}::1`,
      ];
      for (const spelling of spellings)
        expect({ spelling, is: reachOf(spelling) }).toEqual({ spelling, is: reach });
    }),
  );
});

/** In the characters of a Chinese keyboard, which URLs take for the same. */
function wide(text: string): string {
  return text
    .replaceAll(/\d/g, (digit) => String.fromCodePoint(digit.charCodeAt(0) + 0xfee0))
    .replaceAll('.', '。');
}

test('every spelling of an IPv4 address that a URL takes leads to the same verdict', () => {
  fc.assert(
    fc.property(octets, ([a, b, c, d]) => {
      const whole = ((a * 256 + b) * 256 + c) * 256 + d;
      const spellings = [
        `${a}.${b}.${c}.${d}`,
        `${a}.${b}.${c}.${d}.`,
        String(whole),
        `0x${whole.toString(16)}`,
        `0${whole.toString(8)}`,
        `0x${a.toString(16)}.0${b.toString(8)}.${c}.0x${d.toString(16)}`,
        `${a}.${(b * 256 + c) * 256 + d}`,
        `${a}.${b}.${c * 256 + d}`,
        wide(`${a}.${b}.${c}.${d}`),
      ];
      for (const spelling of spellings) {
        const { hostname } = new URL(`http://${spelling}:8080/x`);
        expect({ spelling, is: reachOf(hostname) }).toEqual({ spelling, is: expected([a, b, c, d]) });
      }
    }),
  );
});

test('nothing outside 2000::/3 is public but what leads to a public IPv4 address', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const first = Number.parseInt(address.split(':')[0] || '0', 16);
      const reach = reachOf(address);
      const global = first >= 0x2000 && first <= 0x3fff;
      expect(reach === 'public' && !global && first !== 0 && first !== 0x64).toBe(false);
    }),
  );
});
