import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './root.mjs';

const STAMPS = join(ROOT, '.setup');
const SKIPPED = new Set(['node_modules', '.next', 'dist', 'build', '.git', 'testing']);

function* filesUnder(path) {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) {
    yield path;
    return;
  }
  for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)))
    if (!SKIPPED.has(entry.name)) yield* filesUnder(join(path, entry.name));
}

/** A digest of the files that a step depends on, tests left out, and of whatever else decides its result. */
export function digest(paths, ...facts) {
  const hash = createHash('sha256');
  for (const fact of facts) hash.update(`${fact}\0`);
  for (const path of paths)
    for (const file of filesUnder(join(ROOT, path))) {
      if (/\.test\.tsx?$/.test(file)) continue;
      hash.update(`${relative(ROOT, file)}\0`).update(readFileSync(file));
    }
  return hash.digest('hex');
}

const stampOf = (step) => join(STAMPS, step);

export const isDone = (step, wanted) => existsSync(stampOf(step)) && readFileSync(stampOf(step), 'utf8') === wanted;

/** Written by rename, so that a command that is killed leaves either the old stamp or the new one. */
export function markDone(step, wanted) {
  mkdirSync(STAMPS, { recursive: true });
  const draft = `${stampOf(step)}.${process.pid}`;
  writeFileSync(draft, wanted);
  renameSync(draft, stampOf(step));
}
