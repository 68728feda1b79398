// What the compiler leaves to be done: the pages' own files, and the client in the package of its own.
import { cpSync, existsSync, readdirSync } from 'node:fs';

const from = new URL('../src/', import.meta.url);
const to = new URL('../dist/', import.meta.url);

for (const folder of readdirSync(from)) {
  const page = new URL(`${folder}/page/`, from);
  if (existsSync(page)) cpSync(page, new URL(`${folder}/page/`, to), { recursive: true });
}

cpSync(new URL('client/', to), new URL('../packages/client/dist/', import.meta.url), { recursive: true });
