/** The release before this one, built from git: what runs beside this one while a deploy or a rollback rolls. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Release } from './processes.ts';

/** Its commit. Set it to what is deployed when a release is made. */
export const releaseBefore = '13f44f0';

/**
 * It takes pushes before its connection to Redis stands: who writes in that moment is answered and may see no typing,
 * beside whatever release. 0 as soon as the release before is a later one.
 */
const settleMs = 1_000;

export interface Built extends Release {
  remove: () => Promise<void>;
}

const here = fileURLToPath(new URL('../../', import.meta.url));
const call = promisify(execFile);

/** null: this clone has no such commit, being a shallow one or none at all. */
export async function buildReleaseBefore(): Promise<Built | null> {
  if (!(await isHere(releaseBefore))) return null;
  const folder = await mkdtemp(join(tmpdir(), 'keeptyping-before-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await unpack(releaseBefore, folder);
    // Both run on the packages that are installed here: what changed in them is not tried.
    await symlink(join(here, 'node_modules'), join(folder, 'node_modules'));
    await call('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: folder });
    await call(process.execPath, ['scripts/copy-pages.mjs'], { cwd: folder });
  } catch (error) {
    await remove();
    throw error;
  }
  return { dist: join(folder, 'dist'), settleMs, remove };
}

async function isHere(commit: string): Promise<boolean> {
  return call('git', ['cat-file', '-e', `${commit}^{tree}`], { cwd: here }).then(
    () => true,
    () => false,
  );
}

async function unpack(commit: string, folder: string): Promise<void> {
  const git = spawn('git', ['archive', commit], { cwd: here, stdio: ['ignore', 'pipe', 'inherit'] });
  const tar = spawn('tar', ['-x', '-C', folder], { stdio: [git.stdout, 'ignore', 'inherit'] });
  const codes = await Promise.all([once(git, 'exit'), once(tar, 'exit')]);
  if (codes.some(([code]) => code !== 0)) throw new Error(`git archive ${commit} could not be unpacked.`);
}
