// How a sweep divides over worker processes: items a worker took, time, and what the database spends on an item.
// node scripts/bench/workers.mjs [items]
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingPostgres, Postgres } from '../lib/postgres.mjs';
import { ROOT } from '../lib/root.mjs';
import { prepare } from '../lib/setup.mjs';

const items = Number(process.argv[2] ?? 400);
const lacking = missingPostgres();
if (lacking) throw new Error(`This needs ${lacking}.`);
await prepare();

const folder = mkdtempSync(join(tmpdir(), 'statescope-workers-'));
const sweep = join(folder, 'sweep.json');
writeFileSync(
  sweep,
  JSON.stringify({ kind: 'snr', models: ['demo-mamba2'], examples: [`demo:${items}`], resamples: 10 }),
);

/** Ends with what a command printed. */
function statescope(args, env) {
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.mjs'), ...args], {
    env: { ...process.env, STATESCOPE_ROOT: ROOT, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(err))));
  });
}

/** Processor time of all processes of a PostgreSQL server so far, those that ended included (s). */
function databaseSeconds(postmaster) {
  const ticks = (pid, ended) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return fields.slice(11, ended ? 15 : 13).reduce((sum, text) => sum + Number(text), 0);
  };
  let sum = ticks(postmaster, true);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      if (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')[1] === String(postmaster))
        sum += ticks(pid, false);
    } catch {
      // It has just ended.
    }
  return sum / 100;
}

const postgres = await Postgres.create();
try {
  await postgres.start();
  const [{ data_directory: cluster }] = await postgres.query('show data_directory');
  const postmaster = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]);
  for (const workers of [1, 2, 4]) {
    const env = { DATABASE_URL: await postgres.database(`w${workers}`) };
    const { sweep: id } = JSON.parse(await statescope(['sweep', 'run', sweep, '--detach'], env));
    const [before, started] = [databaseSeconds(postmaster), performance.now()];
    const work = ['worker', '--until-empty', '--device', 'native', '--threads', '1'];
    await Promise.all(Array.from({ length: workers }, () => statescope(work, env)));
    const seconds = (performance.now() - started) / 1000;
    const spent = databaseSeconds(postmaster) - before;
    const rows = await postgres.query(
      `select count(*) as n, sum(took) as ms from sweep_results where sweep = '${id}' group by worker order by 1`,
      `w${workers}`,
    );
    console.log(
      `${workers} workers: ${seconds.toFixed(1)} s with their start; items ${rows.map(({ n }) => n).join(' + ')}; busy ${rows.map(({ ms }) => (ms / 1000).toFixed(1)).join(', ')} s; the database ${((1000 * spent) / items).toFixed(1)} ms of processor time an item`,
    );
  }
} finally {
  await postgres.remove();
  rmSync(folder, { recursive: true, force: true });
}
