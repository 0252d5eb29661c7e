import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { modelConfigOf, parseTrainingConfig, stagesOf, type TrainingConfig } from './config';

const FOLDER = 'experiments/specimens';
const read = (name: string) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
const [plain, twin] = ['mamba2.json', 'diff-mamba2.json'].map((name) => parseTrainingConfig(read(name)));
const VOCABULARY = 1024;

describe('the configurations of the specimens', () => {
  it('differ in name and mixers alone', () => {
    const shared = ({ name: _name, model, ...rest }: TrainingConfig) => {
      const { layers: _layers, expand: _expand, head_dim: _head, ...sizes } = model ?? {};
      return { ...rest, sizes };
    };
    expect(shared(twin)).toEqual(shared(plain));
    const [one, other] = [plain, twin].map((config) => modelConfigOf(config, VOCABULARY));
    expect(one.blocks.map(({ kind }) => kind)).toEqual(Array(8).fill('mamba2'));
    expect(other.blocks.map(({ kind }) => kind)).toEqual(Array(8).fill('diff_mamba2'));
  });

  it('lead from the shortest cue without a book to what is asked in the end', () => {
    const stages = stagesOf(plain);
    const ranges = stages.map(({ data }) => data[0] as unknown as Record<string, [number, number]>);
    expect(ranges[0]).toMatchObject({ cue: [0, 0], pause: [0, 0], noise: [0, 0] });
    for (const field of ['cue', 'pause', 'gap', 'noise']) {
      const longest = ranges.map((range) => range[field][1]);
      expect(longest).toEqual([...longest].sort((a, b) => a - b));
    }
    const last = ranges[ranges.length - 1];
    const { cue, gap, noise } = read('questions.json') as typeof last;
    for (const [field, [from, to]] of Object.entries({ cue, gap, noise })) {
      expect(last[field][0], field).toBeLessThanOrEqual(from);
      expect(last[field][1], field).toBeGreaterThanOrEqual(to);
    }
  });
});
