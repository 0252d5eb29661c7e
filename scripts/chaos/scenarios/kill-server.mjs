import { Ledger, tornFiles } from '../ledger.mjs';
import { deepModel, longQuestion, QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';
import { sleep } from '../world.mjs';

const BATCH = { kind: 'snr', models: ['demo-mamba2'], examples: 'demo:300' };

/** Milliseconds after which an accepted run has been written down; a kill before that may take it along. */
const WRITTEN_DOWN = 3000;

/** Work of every kind, so that the kill falls into any of it. @returns the runs that were accepted: id and time. */
async function work(world, server) {
  const { random } = world;
  const asked = [];
  const known = (await server.list()).runs.filter(({ kept }) => kept);
  for (let i = 0; i < 4; i += 1) {
    const request = random.next() < 0.3 ? longQuestion(300) : QUESTION;
    const { status, json } = await server.post('/api/runs', request);
    if (status === 202) asked.push({ id: json.id, at: Date.now() });
  }
  const about = known.length > 0 ? `?run=${random.pick(known).id}` : '';
  await server.post(`/api/analyses${about}`, BATCH);
  if (known.length > 0) {
    const { id } = random.pick(known);
    server.get(`/api/runs/${id}/export?what=map&layer=0&format=${random.pick(['csv', 'npz', 'json'])}`);
  }
  return asked;
}

export default {
  name: 'kill-server',
  title: 'kill −9 of the server at random moments of runs, batches and exports',
  async run(world) {
    const models = world.make('models');
    deepModel(models, 16);
    const data = world.make('data');
    const ledger = new Ledger(world);
    const rounds = world.quick ? 1 : 4;
    for (let round = 0; round < rounds; round += 1) {
      const server = await Server.start(world, { data, models: [models] });
      await server.list();
      await ledger.verify(server);
      const asked = await work(world, server);
      const end = Date.now() + world.random.between(0, 6000);
      while (Date.now() < end) {
        await ledger.note(server);
        await sleep(30);
      }
      const killed = Date.now();
      await server.kill();
      world.count('kill −9 of the server');

      const again = await Server.start(world, { data, models: [models] });
      const { runs, archive } = await again.list();
      world.check('the archive opens after a kill', archive.state === 'open', archive.message);
      await ledger.verify(again);
      for (const { id, at } of asked) {
        const run = runs.find((one) => one.id === id);
        if (!run && killed - at < WRITTEN_DOWN) continue;
        world.check('every accepted run is listed after a kill: kept or interrupted', run, `run ${id} is not listed`);
        const told = run?.state === 'interrupted' || run?.kept;
        world.check('a run that a kill interrupted says so', told, `run ${id} is ${run?.state}`);
        if (run?.state !== 'interrupted') continue;
        world.count('interrupted runs listed');
        const { json } = await again.get(`/api/runs/${id}`);
        const anew = await again.post('/api/runs', json?.request ?? {});
        world.check('an interrupted run can be asked for again', anew.status === 202, anew.json);
      }
      await again.stop();
      const torn = tornFiles(data);
      world.check('no file is torn or left half written', torn.length === 0, torn.join(', '));
    }
  },
};
