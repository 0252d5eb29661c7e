import { spawnSync } from 'node:child_process';
import { Ledger } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';

/** Another PID namespace, as another container on the same volume has: process numbers mean other processes there. */
const ELSEWHERE = ['unshare', '--pid', '--fork', '--mount-proc'];

function missing() {
  const { status } = spawnSync(ELSEWHERE[0], [...ELSEWHERE.slice(1), 'true']);
  return status === 0 ? undefined : 'a second PID namespace (root and unshare)';
}

/** Both refuse or both keep: what must not happen is that two write into one embedded database. */
async function second(world, data, wrap) {
  const server = await Server.start(world, { data, wrap });
  const { archive } = await server.list();
  world.check('a second server does not open the folder', archive.state === 'failed', archive);
  world.check('a second server says who has the folder', archive.message?.includes(data), archive.message);
  const id = await server.run(QUESTION);
  await server.ended(id);
  const { json } = await server.get(`/api/runs/${id}`);
  world.check('a second server computes', json.state === 'done', json);
  return server;
}

export default {
  name: 'two-owners',
  title: 'two servers on one folder, in one PID namespace and in two',
  missing,
  async run(world) {
    const data = world.make('data');
    const ledger = new Ledger(world);
    const first = await Server.start(world, { data });
    await first.kept(await first.run(QUESTION));
    for (const wrap of world.quick ? [ELSEWHERE] : world.random.shuffled([ELSEWHERE, []])) {
      const other = await second(world, data, wrap);
      const ids = [];
      for (let i = 0; i < 4; i += 1) {
        ids.push(await first.run(QUESTION));
        await other.run(QUESTION);
      }
      await first.kept(...ids);
      if (world.random.next() < 0.5) await other.stop();
      else await other.kill();
      world.count('second owners turned away');
    }
    await ledger.note(first);
    await first.stop();

    const again = await Server.start(world, { data, wrap: ELSEWHERE });
    await ledger.verify(again);
    // The silence of a server elsewhere is believed after half a minute only.
    if (world.quick) return again.stop();
    await again.kill();
    const home = await Server.start(world, { data });
    await world.until('the lock of a killed server is taken over', async () => {
      const { archive } = await home.list();
      return archive.state === 'open';
    });
    await ledger.verify(home);
    await home.stop();
  },
};
