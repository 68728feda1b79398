/** A source of numbers from 0 up to, not including, 1. */
export type Random = () => number;

/** `length` characters out of `alphabet`. */
export function randomText(random: Random, length: number, alphabet = '0123456789abcdef'): string {
  return Array.from({ length }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join('');
}
