import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.mjs';
import { tornFiles } from './ledger.mjs';

/** Folders of the run that nobody disturbed and of the one that was killed. */
const foldersOf = (world) => ['whole', 'killed'].map((name) => join(world.folder, name));

/**
 * Runs a command that can go on (`--resume`) once without a break, then again with a kill at random moments until it
 * has been killed so often and ends.
 */
export async function killUntilDone(world, { what, kills, args, begun, restart }) {
  const [whole, killed] = foldersOf(world);
  const unbroken = await command(world, args(whole));
  if (unbroken.code !== 0) throw new Error(`the unbroken run failed: ${unbroken.said.slice(-1000)}`);
  let times = 0;
  // The machine may be slower or faster than a moment ago: as long as no kill has fallen into the work, they come earlier.
  let longest = unbroken.ms;
  for (;;) {
    const resume = begun(killed);
    if (!resume) restart(killed);
    // Some kills fall before the first state, some into the middle of a write; after the last one it may end.
    const killAfter = times < kills ? world.random.between(0.2, 0.95) * longest : undefined;
    const { code, signal, said } = await command(world, [...args(killed), ...(resume ? ['--resume'] : [])], {
      killAfter,
    });
    if (signal === 'SIGKILL') {
      times += 1;
      world.count(what);
      continue;
    }
    world.check('the command goes on after a kill', code === 0, said.slice(-1000));
    if (times > 0 || code !== 0) break;
    restart(killed);
    longest *= 0.7;
  }
  const torn = tornFiles(killed);
  world.check('no file is torn or left half written', torn.length === 0, torn.join(', '));
}

/** The killed and resumed run has written what the undisturbed one has, byte for byte. */
export function sameFiles(world, names) {
  const [whole, killed] = foldersOf(world);
  for (const name of names) {
    const [a, b] = [whole, killed].map((folder) => join(folder, name));
    const same = existsSync(a) && existsSync(b) && readFileSync(a).equals(readFileSync(b));
    world.check(`${name} is byte for byte that of an unbroken run`, same, `${a} differs from ${b}`);
  }
}
