/** Questions that follow a training story, at most. */
export const TRAINING_QUESTIONS = 5;

/** The longest story that training tells, in sentences; the pair is meant to reach 95 % here. */
export const TRAINING_LENGTH = 5;

const stories = (longest: number) => ({
  source: 'retrieval',
  sentences: [2, longest],
  questions: TRAINING_QUESTIONS,
});

/**
 * The bundled pair: a Mamba-2 and its Diff-Mamba-2 twin. Same data, steps, seed and optimizer; the twin has two mixers
 * of half the width and half the head dimension in every block, as the paper has it (equations A4), so the
 * budgets are equal but for the second B and C.
 */
const SHARED = {
  seed: 7,
  stages: [
    // Stories grow by a sentence, at the full learning rate.
    ...[2, 3, 4].map((longest) => ({
      name: longest === 2 ? '2 sentences' : `2 to ${longest} sentences`,
      data: stories(longest),
      steps: 125,
      optimizer: { final_learning_rate: 3e-3, ...(longest > 2 && { warmup_steps: 0 }) },
    })),
    {
      name: `2 to ${TRAINING_LENGTH} sentences`,
      data: stories(TRAINING_LENGTH),
      steps: 4125,
      optimizer: { warmup_steps: 0, restart: { step: 1825, learning_rate: 1.5e-3 } },
    },
  ],
  batch_size: 16,
  optimizer: {
    learning_rate: 3e-3,
    final_learning_rate: 3e-5,
    warmup_steps: 100,
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

/** A configuration of training, with the types of what is said about it. */
export type DemoConfig = typeof SHARED & {
  readonly name: string;
  readonly model: typeof SIZES & { readonly layers: string; readonly expand: number; readonly head_dim: number };
};

export const DEMO: readonly DemoConfig[] = [
  { ...SHARED, name: 'demo-mamba2', model: { ...SIZES, layers: 'mamba2', expand: 2, head_dim: 32 } },
  { ...SHARED, name: 'demo-diff-mamba2', model: { ...SIZES, layers: 'diff_mamba2', expand: 1, head_dim: 16 } },
];
