import { type Benchmark, type Measurement, measurement, medianMs } from './measure';
import { finish } from './operands';
import { randomModel, SMALL, SMALL_2, tokensOf } from './shapes';

const LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384];
const BATCHES = [1, 2, 4, 8, 16];
/** Where the floor of the lengths is measured, and the length of every row of a batch. */
const REFERENCE = 512;

/** Does the time of a forward pass grow as the text does, and no faster than the batch? */
export const growthBenchmark: Benchmark = {
  name: 'growth',
  run: (device) =>
    [
      { what: 'Mamba-1', config: SMALL },
      { what: 'Mamba-2', config: SMALL_2 },
    ].flatMap(({ what, config }) => {
      const model = randomModel(config);
      const layout = `d=${config.d}, ${config.blocks.length} layers, V=${config.V}`;
      const timed = (rows: number, L: number) => {
        const tokens = tokensOf(rows, L, config.V);
        return medianMs(() => finish(() => model.forward(tokens, { logits: 'last' })));
      };
      const one = timed(1, REFERENCE);
      const line = (rows: number, L: number): Measurement => {
        const floor = `${rows * L} tokens at the rate of one row of ${REFERENCE}`;
        const labels = { what: `forward, last logits, ${what}`, shape: `batch ${rows}×${L}, ${layout}`, device, floor };
        return measurement(labels, timed(rows, L), (one / REFERENCE) * rows * L);
      };
      const lines = [
        ...LENGTHS.map((L) => line(1, L)),
        ...BATCHES.filter((rows) => rows > 1).map((rows) => line(rows, REFERENCE)),
      ];
      model.dispose();
      return lines;
    }),
};
