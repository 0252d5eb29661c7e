import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { killUntilDone, sameFiles } from '../kills.mjs';

const TINY = {
  name: 'tiny',
  seed: 1,
  model: {
    layers: 'diff_mamba2',
    num_hidden_layers: 1,
    hidden_size: 32,
    expand: 1,
    head_dim: 16,
    state_size: 8,
    conv_kernel: 4,
  },
  data: { source: 'retrieval', sentences: [2, 3] },
  batch_size: 8,
  log_every: 5,
  checkpoint_every: 5,
  evaluate_every: 40,
  evaluation_examples: 16,
};

export default {
  name: 'kill-training',
  title: 'kill −9 of `train` at random moments, resumed until it ends',
  async run(world) {
    const config = join(world.folder, 'tiny.json');
    writeFileSync(config, JSON.stringify({ ...TINY, steps: world.quick ? 60 : 240 }));
    await killUntilDone(world, {
      what: 'kill −9 of train',
      kills: world.quick ? 2 : 8,
      args: (out) => ['train', '--config', config, '--out', out],
      begun: (out) => existsSync(join(out, 'training-state.safetensors')),
      restart: (out) => rmSync(out, { recursive: true, force: true }),
    });
    sameFiles(world, ['model.safetensors', 'training-state.safetensors', 'config.json', 'training.json']);
  },
};
