/** Where a name stands from 0 up to 1, always the same: FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
export function fractionOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return ((hash >>> 0) % 10_000) / 10_000;
}
