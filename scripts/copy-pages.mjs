// The compiler leaves out what is not TypeScript: the pages' own files.
import { cpSync, existsSync, readdirSync } from 'node:fs';

const from = new URL('../src/', import.meta.url);
const to = new URL('../dist/', import.meta.url);

for (const folder of readdirSync(from)) {
  const page = new URL(`${folder}/page/`, from);
  if (existsSync(page)) cpSync(page, new URL(`${folder}/page/`, to), { recursive: true });
}
