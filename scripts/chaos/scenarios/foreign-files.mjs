import { join } from 'node:path';
import { Ledger, Sentinels } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';

/** What trainers and people leave in folders named `runs`, some of it under names like ours. */
function plantAround(sentinels, data) {
  sentinels.plant(join(data, 'runs', '2026-11-20_mamba_train', 'events.out.tfevents.1'));
  sentinels.plant(join(data, 'runs', 'notes.txt'));
  sentinels.plant(join(data, 'runs', 'deadbeef', 'notes.txt'));
  sentinels.plant(join(data, 'runs', '0123abcd', 'model-0.safetensors'));
  sentinels.plant(join(data, 'notes.md'));
  sentinels.plant(`${data}-beside.txt`);
}

export default {
  name: 'foreign-files',
  title: 'a data folder that holds files of others, before it is a store and after',
  async run(world) {
    const sentinels = new Sentinels(world);
    const used = world.make('used');
    plantAround(sentinels, used);
    const first = await Server.start(world, { data: used });
    const { archive } = await first.list();
    const told = archive.state === 'open' || archive.message?.includes(used);
    world.check('a folder with files of others is used or refused in a sentence that names it', told, archive);
    const id = await first.run(QUESTION);
    await first.ended(id);
    sentinels.verify();
    await first.stop();
    sentinels.verify();

    const store = world.make('store');
    const ledger = new Ledger(world);
    const second = await Server.start(world, { data: store });
    const ids = [await second.run(QUESTION), await second.run(QUESTION)];
    await second.kept(...ids);
    await ledger.note(second);
    await second.stop();
    plantAround(sentinels, store);
    sentinels.plant(join(store, 'runs', ids[0], 'my-notes.txt'));
    sentinels.plant(join(store, 'runs', ids[1], 'my-notes.txt'));

    const third = await Server.start(world, { data: store });
    await ledger.verify(third);
    sentinels.verify();
    await third.send(`/api/runs/${ids[0]}?forget=true`, { method: 'DELETE' });
    const { runs } = await third.list();
    world.check('a run that is forgotten is gone', !runs.some((run) => run.id === ids[0]));
    await third.stop();
    sentinels.verify();
  },
};
