import { existsSync, readdirSync, rmSync } from 'node:fs';
import { killUntilDone, sameFiles } from '../kills.mjs';

export default {
  name: 'kill-tuned-lens',
  title: 'kill −9 of `tuned-lens` at random moments, resumed until it ends',
  async run(world) {
    const size = ['--steps', world.quick ? '20' : '60', '--length', '64', '--tokens-per-step', '512'];
    await killUntilDone(world, {
      what: 'kill −9 of tuned-lens',
      kills: world.quick ? 2 : 6,
      args: (out) => ['tuned-lens', '--model', 'demo-mamba2', '--data', 'demo:64', '--out', out, ...size],
      begun: (out) => existsSync(out) && readdirSync(out).some((name) => name.includes('state')),
      restart: (out) => rmSync(out, { recursive: true, force: true }),
    });
    // params.pt is a ZIP file with the time of its making in it; params.safetensors has the same tensors.
    sameFiles(world, ['params.safetensors', 'config.json']);
  },
};
