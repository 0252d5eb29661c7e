import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from '@/lib/checkpoint';
import { retrievalVocabulary, wordTokenizer } from '@/lib/data/word-tokenizer';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { formatDuration } from '@/lib/vocabulary';
import type { TrainingConfig } from './config';
import { DEMO, type DemoConfig } from './demo-config';
import { demoExamples } from './demo-examples';
import { type DemoReport, measureDemo, readme } from './demo-report';
import type { TrainingMetrics } from './metrics';
import { publishSpecimen, SEEDS, SPECIMENS, seedsComparison, specimenConfig, specimenExamples } from './specimens';
import { hasTrainingState } from './state';
import { trainFromConfig } from './train';

const EXAMPLES_SEED = 0xe8a3;

const say = (line: string) => process.stderr.write(`${line}\n`);

function progress(name: string): (metrics: TrainingMetrics) => void {
  return ({ step, steps, answers, text, evaluation, time }) => {
    const accuracy = evaluation?.accuracy;
    const measured = typeof accuracy === 'number' ? `  held-out accuracy ${(100 * accuracy).toFixed(1)} %` : '';
    say(
      `${name}  ${step}/${steps}  answers ${answers?.toFixed(3)}  text ${text?.toFixed(3)}  ${formatDuration(time.seconds)}${measured}`,
    );
  };
}

/** The weights, tokenizer and description of one trained run, without what only a resumed run needs. */
async function publish(run: string, folder: string, checkpoint: Checkpoint, report: DemoReport): Promise<void> {
  await saveCheckpoint(folder, checkpoint.config, checkpoint.tensors, { tokenizerPath: join(run, 'tokenizer.json') });
  await writeFile(join(folder, 'README.md'), readme(report));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: 'runs' },
      models: { type: 'string', default: 'models' },
      only: { type: 'string' },
      device: { type: 'string' },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const device = await openDevice({ device: values.device, threads: Number(values.threads) });
  say(`Training the bundled pairs on ${device.name} (${device.description}); runs are kept in ${values.runs}/.`);
  const isWanted = ({ name }: { readonly name: string }) => !values.only || name === values.only;
  const runOf = ({ name }: { readonly name: string }) => join(values.runs, name);
  const train = (config: DemoConfig | TrainingConfig) =>
    trainFromConfig(config, runOf(config), {
      resume: hasTrainingState(runOf(config)),
      onProgress: progress(config.name),
    });
  for (const config of DEMO.filter(isWanted)) await train(config);
  for (const name of SPECIMENS)
    for (const seed of SEEDS) {
      const config = await specimenConfig(name, seed);
      if (!isWanted(config)) continue;
      await train(config);
      await publishSpecimen(name, seed, { run: runOf(config), models: values.models, device: device.description });
    }
  if (values.only) return;

  const tokenizer = wordTokenizer(retrievalVocabulary());
  const trained = await Promise.all(
    DEMO.map(async ({ name }) => ({ ...(await loadCheckpoint(join(values.runs, name))), name })),
  );
  const models = trained.map((checkpoint) => createModel(checkpoint));
  await mkdir(values.models, { recursive: true });
  for (const [i, checkpoint] of trained.entries()) {
    const run = join(values.runs, checkpoint.name);
    const report = await measureDemo(run, DEMO[i], checkpoint, models[i], tokenizer, device.description);
    await publish(run, join(values.models, checkpoint.name), checkpoint, report);
    say(`${checkpoint.name}: ${(100 * report.accuracy).toFixed(1)} % over the longest stories told in training.`);
  }
  await writeFile(...(await seedsComparison()));
  const specimens = await Promise.all(
    SPECIMENS.map(async (arm) => {
      const { name } = await specimenConfig(arm);
      return createModel({ ...(await loadCheckpoint(join(values.models, name))), name });
    }),
  );
  // The page opens on the first of them.
  const examples = [...(await specimenExamples(specimens)), ...demoExamples(models, tokenizer, EXAMPLES_SEED)];
  await writeFile(join(values.models, 'examples.json'), `${JSON.stringify(examples, null, 2)}\n`);
}

await main();
