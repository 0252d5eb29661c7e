import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger, Sentinels, tornFiles } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';

const mount = (folder, megabytes) => spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
const unmount = (folder) => spawnSync('umount', ['-l', folder]);

function missing() {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-mount-'));
  const { status } = mount(folder, 1);
  if (status === 0) unmount(folder);
  rmSync(folder, { recursive: true });
  return status === 0 ? undefined : 'the right to mount a small file system';
}

export default {
  name: 'disk-full',
  title: 'no room on the disk while runs end, then room again',
  missing,
  async run(world) {
    const disk = world.make('disk');
    if (mount(disk, 120).status !== 0) throw new Error('the small file system cannot be mounted');
    world.defer(() => unmount(disk));
    const data = join(disk, 'data');
    const sentinels = new Sentinels(world);
    sentinels.plant(join(disk, 'beside.txt'));
    const ledger = new Ledger(world);
    const server = await Server.start(world, { data });
    await server.kept(await server.run(QUESTION));
    await ledger.note(server);

    const filler = join(disk, 'filler');
    const { bavail, bsize } = statfsSync(disk);
    const left = Math.floor(world.random.between(0, 600_000));
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - left)));
    const ids = [];
    for (let i = 0; i < 4; i += 1) ids.push(await server.run(QUESTION));
    await server.ended(...ids);
    world.count('disks filled');
    const { archive, runs } = await world.until('the list says that runs are not kept', async () => {
      const { json } = await server.get('/api/runs');
      return json?.archive?.message && json;
    });
    world.check('the list says in a sentence that the disk is full', /[.!]$/.test(archive.message), archive.message);
    world.noLeak('archive.message', archive.message);
    const unkept = ids.filter((id) => runs.some((run) => run.id === id && !run.kept));
    world.check('runs that do not fit are listed and not said to be kept', unkept.length > 0, runs);
    const map = await server.get(`/api/runs/${ids[3]}/map?layer=0`);
    world.check('a run that is not kept can be read', map.status === 200, map.status);
    await ledger.note(server);

    rmSync(filler);
    await server.kept(...ids);
    world.check('what was not kept is kept once there is room', true);
    const after = await server.list();
    world.check('the message goes when all is kept', after.archive.message === undefined, after.archive.message);
    await ledger.note(server);
    await server.kill();
    world.count('kill −9 of the server');
    const again = await Server.start(world, { data });
    await ledger.verify(again);
    await again.stop();
    world.check('no file is torn or left half written', tornFiles(data).length === 0, tornFiles(data).join(', '));
    sentinels.verify();
  },
};
