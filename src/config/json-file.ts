/** One file of the configuration, as far as it is JSON. */
import { readFileSync } from 'node:fs';

/** The text of a file; null when there is none. Throws when it cannot be read. */
export type ReadFile = (path: string) => string | null;

/** What the disk holds. */
export function readFromDisk(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** The file's text; null when there is none. A fault when it cannot be read. */
export function readText(path: string, readFile: ReadFile, faults: string[]): string | null {
  try {
    return readFile(path);
  } catch {
    faults.push(`${path}: cannot be read: let this user read it`);
    return '{"version":1}';
  }
}

/** The parser's own words may quote the file, secrets included: only the place is taken from them. */
export function parseJson(text: string, path: string, faults: string[]): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const position = /position (\d+)/.exec(String(error))?.[1];
    const line =
      position === undefined ? '' : ` (line ${text.slice(0, Number(position)).split('\n').length})`;
    faults.push(`${path}: is not JSON${line}: mend it or remove it`);
    return undefined;
  }
}
