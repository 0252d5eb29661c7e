// npm run setup:tensorflow: makes the tensorflow device usable. `-- --gpu` for CUDA, `-- --wheel` for PyPI's TensorFlow.
import { parseArgs } from 'node:util';
import { say } from './lib/run.mjs';
import { prepare } from './lib/setup.mjs';
import { setupTensorflow } from './lib/tensorflow/setup.mjs';

const { values } = parseArgs({ options: { gpu: { type: 'boolean' }, wheel: { type: 'boolean' } } });
await prepare();
try {
  say(`the tensorflow device is ready: ${await setupTensorflow({ ...values, log: say })}`);
} catch (error) {
  say(`the tensorflow device cannot be set up: ${error.message}. Everything else works without it.`);
  process.exitCode = 1;
}
