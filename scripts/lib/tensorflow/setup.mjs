import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCompiler } from '../../../kernels/native/build.mjs';
import { ROOT } from '../root.mjs';
import { run } from '../run.mjs';
import { digest, isDone, markDone } from '../stamp.mjs';
import { addonOf, buildBinding } from './addon.mjs';
import { request } from './download.mjs';
import { cInterface } from './wheel.mjs';

const quiet = { stdio: 'ignore' };

/** Multiplies two matrices in a process of its own; what TensorFlow says of itself, or null where it does not work. */
function proof(folder) {
  const program = `
    const tf = require(process.argv[1]);
    const [value] = tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync();
    if (tf.getBackend() !== 'tensorflow' || value !== 11) process.exit(1);
    const { binding, isUsingGpuDevice } = tf.backend();
    console.log(binding.TF_Version + (isUsingGpuDevice ? ' on CUDA' : ' on the processor'));`;
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
  const { status, stdout } = spawnSync(process.execPath, ['-e', program, folder], { encoding: 'utf8', env });
  return status === 0 ? `TensorFlow ${stdout.trim().split('\n').at(-1)}` : null;
}

/** The npm package at the version of the lock file, without its install script. */
async function npmPackage(name) {
  const folder = join(ROOT, 'node_modules', ...name.split('/'));
  if (existsSync(join(folder, 'package.json'))) return folder;
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const exact = `${name}@${packages[`node_modules/${name}`].version}`;
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  if ((await run('npm', ['install', ...flags, exact], quiet)) !== 0) throw new Error(`npm does not install ${exact}`);
  return folder;
}

/** Whether the host of the package's own download answers. */
async function ownDownloadAnswers() {
  const { TFJS_NODE_CDN_STORAGE, CDN_STORAGE } = process.env;
  const host = TFJS_NODE_CDN_STORAGE || CDN_STORAGE || 'https://storage.googleapis.com/';
  const library = `${host}tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz`;
  const response = await request(library, { method: 'HEAD' }).catch(() => null);
  response?.destroy();
  return response?.statusCode === 200;
}

const hasAddon = (folder) =>
  existsSync(join(folder, 'lib')) &&
  readdirSync(join(folder, 'lib')).some((build) => existsSync(join(folder, 'lib', build, 'tfjs_binding.node')));

async function fromWheel(folder, gpu, log) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('beyond the package’s own download there is a way for Linux on x86-64 only');
  const compiler = findCompiler();
  if (!compiler) throw new Error('no C++ compiler found (c++, g++ or clang++; CXX chooses one)');
  buildBinding(folder, await cInterface(gpu, log), compiler);
}

/**
 * Makes `@tensorflow/tfjs-node` (or `-gpu`) usable: by the package's own install script where its download host answers,
 * else from TensorFlow's wheel on PyPI. What is done is not done again.
 * @param {{ gpu?: boolean, wheel?: boolean, log: (line: string) => void }} options `wheel` leaves the first way out
 * @returns {Promise<string>} what runs, for people
 * @throws Error with one sentence where it cannot be set up
 */
export async function setupTensorflow({ gpu = false, wheel = false, log }) {
  const name = `@tensorflow/tfjs-node${gpu ? '-gpu' : ''}`;
  const step = gpu ? 'tensorflow-gpu' : 'tensorflow';
  const folder = await npmPackage(name);
  const wanted = digest(['scripts/lib/tensorflow'], process.platform, process.arch, process.versions.modules);
  if (!wheel && hasAddon(folder) && isDone(step, wanted)) return 'as set up before';
  if (!wheel && !hasAddon(folder) && (await ownDownloadAnswers()))
    await run('npm', ['rebuild', name, '--ignore-scripts=false', '--foreground-scripts'], quiet);
  if (wheel || !hasAddon(folder) || !proof(folder)) await fromWheel(folder, gpu, log);
  const works = proof(folder);
  if (!works) throw new Error(`${addonOf(folder)} was built but does not work here`);
  markDone(step, wanted);
  return works;
}
