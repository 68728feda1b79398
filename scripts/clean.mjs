// A file deleted from src/ must not live on in what is built.
import { rmSync } from 'node:fs';

for (const built of ['../dist', '../packages/client/dist'])
  rmSync(new URL(built, import.meta.url), { recursive: true, force: true });
