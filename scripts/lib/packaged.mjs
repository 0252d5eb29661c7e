import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { ROOT } from './root.mjs';

/**
 * The page's build names the packages that it leaves outside by links in `.next/node_modules`. npm packs no links: a list goes
 * along, and they are made anew where the package is installed.
 */

const FOLDER = join(ROOT, '.next', 'node_modules');
const LIST = join(ROOT, 'dist', 'externals.json');

function* linksIn(folder) {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (lstatSync(path).isSymbolicLink())
      yield path
        .slice(FOLDER.length + 1)
        .split(sep)
        .join('/');
    else if (name.startsWith('@')) yield* linksIn(path);
  }
}

/** Writes the list: each link ends with a hash behind the name of its package. */
export async function listExternals() {
  const links = [...linksIn(FOLDER)].map((link) => [link, link.replace(/-[0-9a-f]+$/, '')]);
  await writeFile(LIST, `${JSON.stringify(Object.fromEntries(links))}\n`);
}

/** The folder of an installed package, wherever above this one it lies. */
function placeOf(name) {
  const found = createRequire(join(ROOT, 'package.json'))
    .resolve.paths(name)
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'package.json')));
  if (!found) throw new Error(`the package ${name} is not installed beside Statescope.`);
  return found;
}

export async function linkExternals() {
  if (!existsSync(LIST)) return;
  for (const [link, name] of Object.entries(JSON.parse(readFileSync(LIST, 'utf8')))) {
    const path = join(FOLDER, ...link.split('/'));
    if (existsSync(path)) continue;
    await mkdir(dirname(path), { recursive: true });
    await symlink(placeOf(name), path, 'junction');
  }
}
