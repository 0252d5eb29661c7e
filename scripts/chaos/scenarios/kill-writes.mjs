import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../command.mjs';
import { filesBelow, tornFiles } from '../ledger.mjs';
import { sha256 } from '../world.mjs';

const PROMPT = 'Mary entered the kitchen. John entered the garden. Where is Mary? Answer:'.repeat(8);

export default {
  name: 'kill-writes',
  title: 'kill −9 of a command while it writes its `--out`, and a disk that ends in the middle of it',
  async run(world) {
    const folder = world.make('out');
    const out = join(folder, 'maps.safetensors');
    const args = ['attention', '--model', 'demo-mamba2', '--prompt', PROMPT, '--reduce', 'head:all', '--out', out];
    const whole = await command(world, args);
    if (whole.code !== 0) throw new Error(`the command failed: ${whole.said.slice(-1000)}`);
    const digest = sha256(readFileSync(out));
    const { length } = readFileSync(out);
    for (let i = 0; i < (world.quick ? 3 : 12); i += 1) {
      rmSync(out, { force: true });
      // The write is the end of the command.
      const killAfter = whole.ms * world.random.between(0.6, 1.05);
      const { signal } = await command(world, args, { killAfter });
      if (signal === 'SIGKILL') world.count('kill −9 of a command that writes');
      const right = !existsSync(out) || sha256(readFileSync(out)) === digest;
      world.check('a file appears whole or not at all', right, 'the file is torn');
    }
    await command(world, args);
    world.check('the command writes its file after kills', sha256(readFileSync(out)) === digest);

    rmSync(out);
    const blocks = Math.floor(length / 2 / 1024);
    const wrap = ['bash', '-c', `ulimit -f ${blocks}; trap '' XFSZ; exec "$@"`, 'limited'];
    const limited = await command(world, args, { wrap });
    world.count('disks filled');
    world.check(
      'a disk that ends in the middle fails the command',
      limited.code !== 0 && limited.code !== null,
      limited,
    );
    const lines = limited.said.trim().split('\n');
    world.check('a disk that ends in the middle is told in a sentence', /[.!]$/.test(lines.at(-1)), limited.said);
    world.noLeak('command line', limited.said);
    world.check(
      'a disk that ends in the middle leaves no torn file',
      !existsSync(out) && tornFiles(folder).length === 0,
    );
    await command(world, args);
    const left = filesBelow(folder).filter((path) => path !== out);
    world.check('nothing half written is left over', left.length === 0, left.join(', '));
  },
};
