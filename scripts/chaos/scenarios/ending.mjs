import { Ledger, tornFiles } from '../ledger.mjs';
import { deepModel, longQuestion, QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';
import { sleep } from '../world.mjs';

/** Milliseconds: 3 s on an idle machine, and room for a busy one. */
const FIRST = 10_000;
const SECOND = 5_000;

export default {
  name: 'ending',
  title: 'SIGINT and SIGTERM, once and twice, with a run, a batch and open event streams',
  async run(world) {
    const models = world.make('models');
    deepModel(models);
    const data = world.make('data');
    const ledger = new Ledger(world);
    const endings = [
      ['SIGINT', 1],
      ['SIGINT', 2],
      ['SIGTERM', 1],
    ];
    let server = await Server.start(world, { data, models: [models] });
    for (const [signal, times] of world.random.shuffled(world.quick ? endings.slice(0, 2) : endings)) {
      const ended = await server.run(QUESTION);
      await server.kept(ended);
      await ledger.note(server);
      const batch = await server.post(`/api/analyses?run=${ended}`, {
        kind: 'snr',
        models: ['demo-mamba2'],
        examples: 'demo:20',
      });
      await world.until('the batch has ended', async () => {
        const { json } = await server.get(`/api/analyses/${batch.json.id}`);
        return json?.state === 'done';
      });
      const running = await server.run(longQuestion(4000));
      const waiting = await server.run(QUESTION);
      const streams = [running, waiting].map((id) => server.events(`/api/runs/${id}/events`));
      await world.until(
        'the run computes',
        async () => (await server.get(`/api/runs/${running}`)).json?.state === 'running',
      );
      await sleep(world.random.between(0, 1000));
      server.signal(signal);
      if (times === 2) {
        await sleep(world.random.between(50, 500));
        server.signal(signal);
      }
      const ms = await server.gone();
      world.count('signals while a run computed', times);
      if (times === 1) world.figure('from the first signal to the end', ms, 'ms');
      const limit = times === 1 ? FIRST : SECOND;
      world.check(
        `the server ends within ${limit / 1000} s of its ${times === 1 ? 'first' : 'second'} signal`,
        ms < limit,
        ms,
      );
      await world.until('the event streams end', () => streams.every((stream) => stream.ended), 10);

      server = await Server.start(world, { data, models: [models] });
      const { runs } = await server.list();
      await ledger.verify(server);
      for (const id of [running, waiting]) {
        const listed = runs.find((run) => run.id === id);
        const told = listed && ['cancelled', 'interrupted', 'error'].includes(listed.state);
        world.check('a run that a signal ended is listed as what it is', told, listed ?? `run ${id} is not listed`);
      }
      if (times === 1) {
        const kept = await server.get(`/api/analyses/${batch.json.id}`);
        world.check('an analysis that had ended is kept', kept.status === 200, kept.status);
      }
    }
    await server.stop();
    world.check('no file is torn or left half written', tornFiles(data).length === 0, tornFiles(data).join(', '));
  },
};
