import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { ROOT } from '../lib/root.mjs';
import { freePort } from '../lib/serve.mjs';
import { sleep } from './world.mjs';

/** Of Node: the embedded database is not compiled a second time for speed, which is a seventh of the processor time of a start. */
const SHORT_LIVED = ['--liftoff-only'];

/** The environment without anything that would change what a scenario means. */
export function cleanEnvironment(extra = {}) {
  const foreign = /^(STATESCOPE_|DATABASE_URL$|HOST$|HOSTNAME$|PORT$|PG[A-Z]+$|HF_|NODE_OPTIONS$)/;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Kills a process and all of its group; one that has gone is no error. */
export function killGroup(pid, signal = 'SIGKILL') {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** `npm start` with a data folder of its own, and the requests that a scenario sends it. */
export class Server {
  #child;
  #ended = false;

  /**
   * @param options.data the data folder, or 'none'
   * @param options.models more folders of models
   * @param options.wrap a command that starts the server, as `unshare --pid`
   * @param options.ready false: resolves as soon as the process runs
   */
  static async start(world, { data, models = [], env = {}, wrap = [], ready = true }) {
    const server = new Server();
    server.world = world;
    server.port = await freePort();
    server.logFile = join(world.folder, `server-${server.port}.log`);
    const log = openSync(server.logFile, 'w');
    // What the harness has set up once is served as it is, whatever happens to the sources meanwhile.
    const start = [process.execPath, ...SHORT_LIVED, join(ROOT, 'scripts', 'start.mjs'), '--as-built'];
    const [command, ...args] = [...wrap, ...start];
    server.#child = spawn(command, args, {
      cwd: world.folder,
      detached: true,
      stdio: ['ignore', log, log],
      env: cleanEnvironment({
        PORT: String(server.port),
        STATESCOPE_DATA: data,
        STATESCOPE_MODELS: models.join(':'),
        HF_HOME: join(world.folder, 'no-cache'),
        ...env,
      }),
    });
    closeSync(log);
    server.#child.on('exit', () => {
      server.#ended = true;
    });
    world.defer(() => server.kill());
    world.count('starts of the server');
    world.lastLog = () => server.log;
    if (ready) await server.ready();
    return server;
  }

  get running() {
    return !this.#ended;
  }

  get pid() {
    return this.#child.pid;
  }

  get log() {
    return readFileSync(this.logFile, 'utf8');
  }

  ready() {
    return this.world.until('the server is ready', async () => {
      if (this.#ended) throw new Error(`the server ended at its start:\n${this.log.slice(-2000)}`);
      return (await this.get('/api/health').catch(() => null))?.json?.status === 'ready';
    });
  }

  /** kill −9 of everything that it started. */
  async kill() {
    if (this.#ended) return;
    killGroup(this.pid);
    await this.gone();
  }

  signal(name) {
    killGroup(this.pid, name);
  }

  /** Resolves to the milliseconds until it has ended. */
  async gone(seconds = 120) {
    const start = Date.now();
    await this.world.until('the server has ended', () => this.#ended, seconds);
    return Date.now() - start;
  }

  /** Ends it as a service manager does. */
  async stop() {
    this.signal('SIGTERM');
    await this.gone();
    this.world.noLeak('log', this.log);
  }

  /**
   * One request on a connection of its own.
   * @returns status, milliseconds, headers, body and, where it is one, its JSON; status 0 when the connection broke.
   */
  send(path, { method = 'GET', headers = {}, body, seconds = 120, host = '127.0.0.1' } = {}) {
    const start = performance.now();
    const own =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        request.destroy();
        reject(new Error(`${method} ${path.slice(0, 100)} was not answered in ${seconds} s`));
      }, seconds * 1000);
      const finish = (status, chunks = [], answered = {}) => {
        clearTimeout(timer);
        const bytes = Buffer.concat(chunks);
        resolve({ status, ms: performance.now() - start, headers: answered, bytes, json: jsonOf(bytes) });
      };
      const options = { host, port: this.port, path, method, agent: false, headers: { ...own, ...headers } };
      const request = http.request(options, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => finish(answer.statusCode, chunks, answer.headers));
        answer.on('error', () => finish(0, chunks));
      });
      request.on('error', () => finish(0));
      request.end(body);
    }).then((answer) => {
      if (answer.status >= 400 && method !== 'HEAD' && path.startsWith('/api/'))
        this.world.refusal(`${method} ${path.slice(0, 100)}`, answer);
      return answer;
    });
  }

  get(path, options) {
    return this.send(path, options);
  }

  post(path, value, options) {
    return this.send(path, { method: 'POST', body: JSON.stringify(value), ...options });
  }

  /** An open stream of events: what it has told, and whether it has ended. */
  events(path) {
    const stream = { text: '', ended: false, close: () => request.destroy() };
    const request = http.get({ host: '127.0.0.1', port: this.port, path, agent: false }, (answer) => {
      stream.status = answer.statusCode;
      answer.on('data', (chunk) => {
        stream.text += chunk;
      });
      answer.on('close', () => {
        stream.ended = true;
      });
      answer.on('error', () => undefined);
    });
    request.on('error', () => {
      stream.ended = true;
    });
    return stream;
  }

  /** Asks for a run. @returns its id. @throws Error when it is refused. */
  async run(request) {
    const answer = await this.post('/api/runs', request);
    if (answer.status !== 202) throw new Error(`the run was refused: ${answer.status} ${answer.bytes}`);
    return answer.json.id;
  }

  /** Waits until runs have ended. */
  async ended(...ids) {
    for (const id of ids)
      await this.world.until(`run ${id} has ended`, async () => {
        const { json } = await this.get(`/api/runs/${id}`);
        return json?.state && !['queued', 'running'].includes(json.state);
      });
  }

  /** The list of runs with the archive's state, once it has opened or failed. */
  list() {
    return this.world.until('the archive is open or says why not', async () => {
      const { json } = await this.get('/api/runs');
      return json?.archive && json.archive.state !== 'opening' && json;
    });
  }

  /** Waits until the list says of all these runs that they are kept. */
  kept(...ids) {
    return this.world.until(`runs ${ids.join(', ')} are kept`, async () => {
      const { runs } = await this.list();
      return ids.every((id) => runs.some((run) => run.id === id && run.kept));
    });
  }

  /** Polls `read` with a pause between until `until` resolves. @returns the milliseconds of each. */
  async pulse(path, until, pause = 50) {
    const times = [];
    let over = false;
    until.finally(() => {
      over = true;
    });
    while (!over) {
      times.push((await this.get(path)).ms);
      await sleep(pause);
    }
    await until;
    return times;
  }
}

function jsonOf(bytes) {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** Of sorted or unsorted numbers, the one that a share of them does not exceed. */
export function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
