import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { missingPostgres, Postgres } from '@/scripts/lib/postgres.mjs';
import { connect } from './connection';
import { JobEngine } from './engine';
import { Workshop } from './testing/workshop';

const MODELS = ['plain', 'middle'];
const EXAMPLES = 8;
const ITEMS = MODELS.length * EXAMPLES;

// Processes start many times here, which takes minutes where others use the machine too.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

let workshop: Workshop;
let file: string;
/** What one process finds, on the embedded database. */
let alone: { summary: string; sweep: string };

/** Summaries are long, and equal or not. */
const digest = (text: string) => createHash('sha256').update(text).digest('hex');

beforeAll(async () => {
  workshop = await Workshop.make(MODELS);
  file = await workshop.snrFile('sweep', MODELS, EXAMPLES);
  const one = workshop.start(['sweep', 'run', file], { STATESCOPE_DATA: 'alone' });
  expect(await one.ended, one.output.err).toBe(0);
  alone = { summary: digest(one.output.out), sweep: JSON.parse(one.output.out).sweep };
});
afterAll(() => workshop?.remove());

describe('a sweep on the embedded database', () => {
  it('goes on where kill −9 has ended it, and comes to the same', async () => {
    const env = { STATESCOPE_DATA: 'killed' };
    const first = workshop.start(['sweep', 'run', file], env);
    await first.says(/: [2-9] of 16 items/);
    first.child.kill('SIGKILL');
    expect(await first.ended).toBeNull();
    const second = workshop.start(['sweep', 'run', file], env);
    expect(await second.ended, second.output.err).toBe(0);
    expect(digest(second.output.out)).toBe(alone.summary);
    // The first sign of it tells of what the killed process has left.
    expect(Number(/: (\d+) of 16 items/.exec(second.output.err)?.[1])).toBeGreaterThan(1);
    const result = workshop.start(['sweep', 'result', alone.sweep], env);
    expect(await result.ended, result.output.err).toBe(0);
    const workers: { items: number }[] = JSON.parse(result.output.out).workers;
    expect(workers).toHaveLength(2);
    expect(workers.reduce((sum, { items }) => sum + items, 0)).toBe(ITEMS);
  });

  it('is not for workers', async () => {
    const worker = workshop.start(['worker'], { STATESCOPE_DATA: 'alone' });
    expect(await worker.ended).toBe(2);
    expect(worker.output.err).toMatch(/set DATABASE_URL/);
    const detached = workshop.start(['sweep', 'run', file, '--detach'], { STATESCOPE_DATA: 'alone' });
    expect(await detached.ended).toBe(2);
    expect(detached.output.err).toMatch(/--detach/);
  });
});

/** What a batch script sees of Slurm's: a copy of itself elsewhere, the folder that it was sent from, its task, what its lines ask for. */
const SBATCH = `#!/bin/bash
array=\${1#--array=} script=$2
asked() { sed -n "s/^#SBATCH --$1=//p" "$script"; }
spool=$(mktemp -d)
install -m 755 "$script" "$spool/slurm_script"
for task in $(seq "\${array%-*}" "\${array#*-}"); do
  (
    cd /
    export SLURM_SUBMIT_DIR=$OLDPWD SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=$(asked cpus-per-task)
    exec "$spool/slurm_script"
  ) >"slurm-$task.out" 2>&1 &
  echo $! >"slurm-$task.pid"
done
status=0
for pid in $(jobs -p); do wait "$pid" || status=$?; done
rm -r "$spool"
exit $status
`;

const lacking = missingPostgres();
if (lacking) console.warn(`Not run: workers on a PostgreSQL server (needs ${lacking}).`);

describe.skipIf(lacking)(`workers on a PostgreSQL server${lacking ? ` (needs ${lacking})` : ''}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.create();
    await postgres.start();
  });
  afterAll(() => postgres?.remove());

  const rowsOf = (database: string) =>
    postgres.query('SELECT item, result, worker FROM sweep_results WHERE error IS NULL ORDER BY item', database);
  const active = async (database: string) =>
    Number((await postgres.query("SELECT count(*) AS n FROM pgboss.job WHERE state = 'active'", database))[0].n);

  /** The summary once all items have a result. */
  async function summaryOf(env: Record<string, string>, database: string): Promise<string> {
    while ((await rowsOf(database)).length < ITEMS) await sleep(100);
    const again = workshop.start(['sweep', 'run', file], env);
    expect(await again.ended, again.output.err).toBe(0);
    return digest(again.output.out);
  }

  it('share a sweep; what one had when it was killed goes to the other, and all comes to the same', async () => {
    const env = { DATABASE_URL: await postgres.database('killed'), STATESCOPE_DATA: 'shared' };
    const made = workshop.start(['sweep', 'run', file, '--detach'], env);
    expect(await made.ended, made.output.err).toBe(0);
    const one = workshop.start(['worker'], env);
    await one.says('example');
    one.child.kill('SIGSTOP');
    // Stopped between two items or in one: wait for one that it has in hand.
    while ((await active('killed')) === 0) {
      one.child.kill('SIGCONT');
      await sleep(20);
      one.child.kill('SIGSTOP');
    }
    const held = await active('killed');
    one.child.kill('SIGKILL');
    expect(await one.ended).toBeNull();
    const two = workshop.start(['worker', '--until-empty'], env);
    expect(await two.ended, two.output.err).toBe(0);
    expect(held).toBeGreaterThan(0);
    const rows = await rowsOf('killed');
    expect(rows.map(({ item }) => item)).toEqual(Array.from({ length: ITEMS }, (_, item) => item));
    expect(new Set(rows.map(({ worker }) => worker)).size).toBe(2);
    expect(await summaryOf(env, 'killed')).toBe(alone.summary);
  });

  it('are an array of Slurm: one whose time is over ends its item in good order, and the others do the rest', async () => {
    const env = { DATABASE_URL: await postgres.database('slurm'), STATESCOPE_DATA: 'shared' };
    const made = workshop.start(['sweep', 'run', file, '--detach'], env);
    expect(await made.ended, made.output.err).toBe(0);
    const bin = join(workshop.root, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'sbatch'), SBATCH, { mode: 0o755 });
    const array = workshop.startProgram('sbatch', ['--array=1-2', join(process.cwd(), 'scripts', 'workers.sbatch')], {
      ...env,
      PATH: `${bin}:${process.env.PATH}`,
    });
    const said = (task: number) => readFile(join(workshop.root, `slurm-${task}.out`), 'utf8').catch(() => '');
    while (!(await said(1)).includes('example')) {
      expect(array.child.exitCode, `${array.output.err}${await said(1)}`).toBeNull();
      await sleep(50);
    }
    // As --signal=B:TERM does: the batch script alone hears of it, which is why it must be the worker.
    process.kill(Number(await readFile(join(workshop.root, 'slurm-1.pid'), 'utf8')), 'SIGTERM');
    expect(await array.ended, `${await said(1)}\n${await said(2)}`).toBe(0);
    expect(await summaryOf(env, 'slurm')).toBe(alone.summary);
  });

  it('and a worker that stood still for longer than its lease adds nothing twice', async () => {
    const env = { DATABASE_URL: await postgres.database('frozen'), STATESCOPE_DATA: 'shared' };
    const made = workshop.start(['sweep', 'run', file, '--detach'], env);
    expect(await made.ended, made.output.err).toBe(0);
    const frozen = workshop.start(['worker', '--until-empty'], env);
    await frozen.says('example');
    frozen.child.kill('SIGSTOP');
    const other = workshop.start(['worker', '--until-empty'], env);
    expect(await other.ended, other.output.err).toBe(0);
    frozen.child.kill('SIGCONT');
    expect(await frozen.ended, frozen.output.err).toBe(0);
    expect(await rowsOf('frozen')).toHaveLength(ITEMS);
    expect(await summaryOf(env, 'frozen')).toBe(alone.summary);
  });

  it('make the tables of a new database once, however many come at the same moment', async () => {
    for (const name of ['together', 'again', 'anew']) {
      const place = { root: process.cwd(), folder: workshop.root, databaseUrl: await postgres.database(name) };
      const engines = await Promise.all(Array.from({ length: 12 }, () => JobEngine.open(place)));
      for (const engine of engines) expect(await engine.pending()).toBe(0);
      await Promise.all(engines.map((engine) => engine.close()));
    }
  });

  it('lose a connection that a failed transaction has left open, and no more', async () => {
    const databaseUrl = await postgres.database('failed');
    const connection = await connect({ root: process.cwd(), folder: workshop.root, databaseUrl });
    await expect(connection.query('BEGIN; SELECT nonsense; COMMIT;')).rejects.toThrow();
    for (let i = 0; i < 3; i++) expect(await connection.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await connection.close();
  });

  it('hear of a connection that ends while a transaction holds it by its next query', async () => {
    const databaseUrl = await postgres.database('cut');
    const connection = await connect({ root: process.cwd(), folder: workshop.root, databaseUrl });
    const work = connection.transaction(async ({ query }) => {
      const [{ pid }] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await postgres.query(`SELECT pg_terminate_backend(${pid})`);
      await sleep(300);
      await query('SELECT 1');
    });
    await expect(work).rejects.toThrow();
    expect(await connection.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await connection.close();
  });

  it('wait for a database that was killed, and go on', async () => {
    const env = { DATABASE_URL: await postgres.database('restarted'), STATESCOPE_DATA: 'shared' };
    const run = workshop.start(['sweep', 'run', file], env);
    const helper = workshop.start(['worker'], env);
    await run.says(/: [2-9] of 16 items/);
    await postgres.kill();
    await sleep(1000);
    await postgres.start();
    expect(await run.ended, run.output.err).toBe(0);
    expect(digest(run.output.out)).toBe(alone.summary);
    helper.child.kill('SIGTERM');
    expect(await helper.ended, helper.output.err).toBe(0);
  });

  it('train a run to the same bytes when its worker was killed on the way', async () => {
    const folder = (name: string) => join(workshop.root, name);
    const [steps, every] = [32, 4];
    const training = {
      steps,
      checkpoint_every: every,
      log_every: every,
      evaluate_every: steps / 2,
      evaluation_examples: 8,
      batch_size: 8,
    };
    const model = {
      hidden_size: 16,
      state_size: 4,
      conv_kernel: 4,
      expand: 1,
      head_dim: 8,
      n_groups: 1,
      num_hidden_layers: 1,
      layers: ['mamba2'],
    };
    const experiment = {
      ...{ title: 'One run', question: 'Is it the same?', training: { ...training, data: { source: 'retrieval' } } },
      ...{ arms: { one: { training: { model } } }, scales: { here: { seeds: [0] } } },
    };
    for (const name of ['whole', 'broken']) {
      await mkdir(folder(name));
      await writeFile(join(folder(name), 'experiment.json'), JSON.stringify(experiment));
    }
    const whole = workshop.start(['experiment', 'run', folder('whole')], { STATESCOPE_DATA: 'whole-data' });
    expect(await whole.ended, whole.output.err).toBe(0);
    const env = { DATABASE_URL: await postgres.database('training'), STATESCOPE_DATA: 'shared' };
    const run = (name: string) => join(folder(name), 'here', 'runs', 'one-0');
    const first = workshop.start(['experiment', 'run', folder('broken')], env);
    while (!existsSync(join(run('broken'), 'training-state.safetensors'))) await sleep(20);
    first.child.kill('SIGKILL');
    await first.ended;
    const logged = (await readFile(join(run('broken'), 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').length;
    expect(logged).toBeLessThan(steps / every);
    const second = workshop.start(['experiment', 'run', folder('broken')], env);
    expect(await second.ended, second.output.err).toBe(0);
    // Taken a second time after the first worker's death and never again, though the run takes longer than a lease.
    expect(await postgres.query('SELECT retry_count FROM pgboss.job', 'training')).toEqual([{ retry_count: 1 }]);
    const bytes = (name: string) => readFile(join(run(name), 'model.safetensors'));
    expect(Buffer.compare(await bytes('broken'), await bytes('whole'))).toBe(0);
    const losses = async (name: string) =>
      (await readFile(join(run(name), 'metrics.jsonl'), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => ({ ...JSON.parse(line), time: null }));
    expect(await losses('broken')).toEqual(await losses('whole'));
  });
});
