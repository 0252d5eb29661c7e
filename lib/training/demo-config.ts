import type { TrainingConfig } from './config';

/**
 * The bundled pair: a Mamba-2 and its Diff-Mamba-2 twin. Same data, steps, seed and optimizer; the twin has two mixers
 * of half the width and half the head dimension in every block, as the paper has it (equations A4), so the
 * budgets are equal but for the second B and C.
 */
const SHARED = {
  seed: 7,
  data: { task: 'retrieval', sentences: [2, 5], questions: 5, curriculum_steps: 500 },
  steps: 4500,
  batch_size: 16,
  optimizer: {
    learning_rate: 3e-3,
    final_learning_rate: 3e-5,
    warmup_steps: 100,
    restart: { step: 2200, learning_rate: 1.5e-3 },
    betas: [0.9, 0.99],
    weight_decay: 0.1,
    clip_norm: 1,
  },
  loss: { answers: 1, text: 0.1 },
  log_every: 20,
  checkpoint_every: 100,
  evaluate_every: 100,
  evaluation_examples: 256,
};

const SIZES = { hidden_size: 128, num_hidden_layers: 4, state_size: 32, conv_kernel: 4 };

type DemoConfig = { readonly name: string } & Pick<TrainingConfig, 'model'> & typeof SHARED;

export const DEMO: readonly DemoConfig[] = [
  { ...SHARED, name: 'demo-mamba2', model: { ...SIZES, layers: 'mamba2', expand: 2, head_dim: 32 } },
  { ...SHARED, name: 'demo-diff-mamba2', model: { ...SIZES, layers: 'diff_mamba2', expand: 1, head_dim: 16 } },
];

/** The longest story that training tells, in sentences; the pair is meant to reach 95 % here. */
export const TRAINING_LENGTH = SHARED.data.sentences[1];
