import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { SweepRequestInput } from '@/lib/api/sweeps';
import { needs } from '@/testing/needs';
import { cliLines, exportQueries, pythonProgram, type Shown, type ShownAnalysis } from './commands';

const shown: Shown[] = [
  {
    slot: 'A',
    run: 'abc',
    prompt: 'p',
    index: 0,
    model: 'plain',
    layer: 3,
    branch: 'single',
    form: 's6',
    span: 'layer',
    reduce: 'mean',
    position: 7,
    lens: 'logit',
  },
  {
    slot: 'B',
    run: 'xyz',
    prompt: 'p',
    index: 1,
    model: 'it\'s "new"',
    layer: 3,
    branch: 'diff',
    form: 's6',
    span: 'layer',
    reduce: 'head:2',
    position: 7,
    target: 12,
    needle: [2, 4],
    lens: 'logit',
  },
];

const python = spawnSync('python3', ['--version']).status === 0;

describe('cliLines', () => {
  it('survives a shell unchanged', () => {
    const prompt = `Don't $HOME \`x\` "y"\nnew line`;
    const [, map, lens] = cliLines(shown.map((one) => ({ ...one, prompt })))
      .replaceAll('\nnew line', '\u0001')
      .split('\n');
    const words = (line: string) => {
      const script = `npm() { for w in "$@"; do printf '%s\\0' "$w"; done; }; ${line.replaceAll('\u0001', '\nnew line')}`;
      return spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout.split('\0').slice(5, -1);
    };
    expect(words(map)).toEqual(
      ['--model', 'it\'s "new"', '--prompt', prompt, '--layers', '3', '--reduce', 'head:2', '--branch', 'diff'].concat([
        '--out',
        'map-B.npz',
      ]),
    );
    expect(words(lens).slice(4)).toEqual(['--targets', '12', '--position', '7', '--out', 'lens-B.npz']);
    expect(words(cliLines(shown).split('\n')[3])).toEqual(
      ['--model', 'it\'s "new"', '--prompt', 'p', '--target', '12', '--position', '7', '--needle', '2:4'].concat([
        '--out',
        'allocation-B.npz',
      ]),
    );
  });
});

describe('batches', () => {
  const own: ShownAnalysis = {
    name: 'batch',
    id: 'b1',
    request: { kind: 'snr', models: ['a', 'b'], examples: [{ prompt: "It's", target: 'x' }], seed: 7 },
  };

  it('are a command each, with own prompts in a file', () => {
    const stories: ShownAnalysis = {
      name: 'allocation',
      id: 'b2',
      request: { kind: 'allocation', models: ['a', ['b-1', 'b-2']], examples: 'demo:25' },
    };
    const [write, line, other] = cliLines([], [own, stories]).split('\n');
    expect(spawnSync('sh', ['-c', write.replace(' > batch.jsonl', '')], { encoding: 'utf8' }).stdout).toBe(
      '{"prompt":"It\'s","target":"x"}\n',
    );
    expect(line).toContain("snr --models 'a,b' --examples batch.jsonl --seed 7 --json > batch.json");
    expect(other).toContain("allocation --models 'a,b-1+b-2' --examples demo:25 --json > allocation.json");
  });

  it('of causal tests are the command that makes the same sweep, and loaded as one', () => {
    const request: SweepRequestInput = {
      kind: 'ablate',
      models: ['a', 'b'],
      sources: [{ name: 'stories', examples: 'demo:25' }],
      window: 2,
      unit: 'mixer',
      method: 'mean',
      reference: 'self',
      rows: 'class',
    };
    const line = cliLines([], [], [['ablate', { id: 's1', request }]]);
    for (const words of ["statescope -- ablate --model 'a,b'", '--examples demo:25', '--unit mixer', '--method mean'])
      expect(line).toContain(words);
    expect(line).toMatch(/--reference self --rows class --window 2 --json > ablate-over-examples\.json$/);
    const python = pythonProgram([], 'http://host:1', [], [['ablate', { id: 's1', request }]]);
    expect(python).toContain('ablate_over_examples = result("s1", "sweeps")');
  });

  it('are loaded by the Python program, and are no command where they are a test', () => {
    expect(pythonProgram([], 'http://host:1', [own])).toContain('batch = result("b1")  # snr');
    const test = { kind: 'knockout', model: 'a', prompt: 'p', target: 't', foil: 'f' } as const;
    expect(cliLines([], [{ name: 'knockout-A', id: 'k', request: test }])).toBe('');
  });
});

describe('a form that sums over channels', () => {
  const logit: Shown = { ...shown[1], form: 'logit', reduce: undefined };

  it('of a block names the parts that it leaves out', () => {
    const block: Shown = { ...shown[1], form: 'block', without: ['conv', 'D'] };
    expect(cliLines([block])).toContain("--form block --without 'conv,D' --branch diff");
    expect(exportQueries(block).map).toMatchObject({ without: 'conv,D' });
    expect(exportQueries({ ...block, form: 's6' }).map.without).toBeUndefined();
  });

  it('is exported with its target and without a reduction', () => {
    expect(cliLines([logit])).toContain('--layers 3 --form logit --target 12 --branch diff');
    expect(exportQueries(logit).map).toMatchObject({ form: 'logit', target: 12, reduce: undefined });
    expect(pythonProgram([logit], 'http://host:1')).toContain('branch=diff&form=logit&target=12")["map"]');
  });
});

describe('a product over layers', () => {
  const rollout: Shown = { ...shown[1], model: 'm', span: 'plain', reduce: 'mean_abs' };
  const weighed: Shown = { ...rollout, span: 'attribution' };

  it('is exported with its first layer, and attribution with target and position', () => {
    expect(exportQueries(rollout).map).toEqual({
      what: 'rollout',
      model: 1,
      method: 'plain',
      start: 3,
      reduce: 'mean_abs',
      target: undefined,
      position: undefined,
    });
    expect(exportQueries(weighed).map).toMatchObject({ method: 'attribution', target: 12, position: 7 });
    expect(cliLines([rollout])).toContain(
      'rollout --model m --prompt p --method plain --start-layer 3 --reduce mean_abs --out map-B.npz',
    );
    expect(cliLines([{ ...rollout, span: 'norm' }])).toContain('--method norm --start-layer 3 --out map-B.npz');
    expect(exportQueries({ ...rollout, span: 'alti' }).map).toMatchObject({ method: 'alti', reduce: undefined });
    expect(cliLines([weighed])).toContain('--method attribution --start-layer 3 --target 12 --position 7 --out');
    expect(pythonProgram([weighed], 'http://host:1')).toContain('layers from 3, attribution');
  });
});

describe('a map that is refused', () => {
  const refused: Shown = { ...shown[1], span: 'normalised', refused: 'Layer 3 is a difference.' };
  it('is left out, and the reason stands in its place', () => {
    expect(cliLines([refused])).not.toContain('rollout');
    expect(cliLines([refused])).toContain('lens --model');
    expect(pythonProgram([refused], 'http://host:1')).toContain('# no map: Layer 3 is a difference.');
  });
});

describe('a tuned lens', () => {
  it('is read by every copy of the numbers', () => {
    const tuned: Shown = { ...shown[1], model: 'plain', lens: 'tuned' };
    expect(cliLines([tuned])).toContain('--tuned --out lens-B.npz');
    expect(exportQueries(tuned)).toMatchObject({ lens: { lens: 'tuned' }, signal: { lens: 'tuned' } });
  });
});

describe('pythonProgram', () => {
  it('asks for what the page shows', () => {
    const text = pythonProgram(shown, 'http://host:1');
    expect(text).toContain('API = "http://host:1/api"');
    expect(text).toContain('load("abc/export?what=map&model=0');
    expect(text).toContain('load("xyz/export?what=map&model=1&layer=3&branch=diff&form=s6&reduce=head%3A2")["map"]');
    expect(text).toContain(
      'load("xyz/export?what=signal&model=1&position=7&target=12&lens=logit&needle=2%2C4&with=needle_against_context")',
    );
  });

  it('is Python', needs(python, 'python3'), () => {
    const check = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], {
      input: pythonProgram(shown, 'http://host:1'),
      encoding: 'utf8',
    });
    expect(check.stderr).toBe('');
  });
});
