import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { outcomeOf } from './testing';

const CASES = join(process.cwd(), 'lib/models/testing/cases');
const folder = mkdtempSync(join(tmpdir(), 'statescope-causal-'));
const file = (name: string) => join(folder, name);
const model = ['--model', join(CASES, 'hf-diffmamba2-all')];
const question = ['--target', '3', '--foil', '7'];

function tokens(rows: unknown): string[] {
  writeFileSync(file('tokens.json'), JSON.stringify(rows));
  return ['--tokens', file('tokens.json')];
}

const clean = [5, 9, 12, 4, 8];
const corrupted = [5, 2, 12, 4, 8];
const values = async (path: string, name: string) => {
  const found = (await readSafetensors(path)).get(name);
  return [...((found as { data: unknown }).data as Float32Array)];
};

beforeAll(() => {
  process.env.STATESCOPE_MODELS = CASES;
});

afterAll(() => {
  delete process.env.STATESCOPE_MODELS;
  rmSync(folder, { recursive: true });
});

describe('patch', () => {
  it('writes the grid, and says the same in JSON', async () => {
    const out = file('patch.safetensors');
    const args = [
      'patch',
      ...model,
      ...tokens([clean, corrupted]),
      ...question,
      '--spans',
      '0:5,1:2',
      '--layers',
      '0,1',
    ];
    const outcome = await outcomeOf(...args, '--out', out, '--json');
    expect(outcome).toMatchObject({ code: 0, err: expect.stringMatching(/about \d+ MB beside the weights/) });
    const report = JSON.parse(outcome.out);
    expect(report).toMatchObject({
      point: 'hook_resid_pre',
      metric: 'logit_difference',
      layers: [0, 1],
      spans: [
        [0, 5],
        [1, 2],
      ],
      position: 4,
    });
    expect(report.effect[0][0]).toBeCloseTo(1, 4);
    expect(report.effect[0][1]).toBeCloseTo(1, 4);
    const effect = await values(out, 'patch.effect');
    expect(effect.length).toBe(4);
    effect.forEach((value, k) => {
      expect(value).toBeCloseTo(report.effect.flat()[k], 5);
    });
    const patched = await values(out, 'patch.patched');
    expect((patched[3] - report.corrupted) / (report.clean - report.corrupted)).toBeCloseTo(effect[3], 4);
  });

  it('goes both ways, shows any measure of the same runs, and warns on stderr', async () => {
    const out = file('noise.safetensors');
    const args = ['patch', ...model, ...tokens([clean, corrupted])];
    const json = JSON.parse(
      (await outcomeOf(...args, ...question, '--direction', 'noise', '--json', '--out', out)).out,
    );
    expect(json.direction).toBe('noise');
    expect(json.effect[0][1]).toBeCloseTo(1, 4);
    const { metrics } = json;
    expect(metrics.kl.clean).toBe(0);
    expect(metrics.logit_difference.patched).toEqual(json.patched);
    expect((await values(out, 'patch.kl.patched'))[1]).toBeCloseTo(metrics.kl.patched[0][1], 5);
    expect((await values(out, 'patch.target_logprob.effect'))[1]).toBeCloseTo(1, 3);
    const table = await outcomeOf(...args, ...question, '--metric', 'kl');
    expect(table.out).toContain('(kl), denoise');
    const bare = await outcomeOf(...args, '--target', '3');
    expect(bare.err).toMatch(/warning: There is no foil/);
  });

  it('estimates all cells at once, and says how far the checked ones agree', async () => {
    const out = file('attribution.safetensors');
    const args = ['patch', '--attribution', ...model, ...tokens([clean, corrupted]), ...question];
    const outcome = await outcomeOf(...args, '--check', '4', '--out', out, '--json');
    expect(outcome).toMatchObject({
      code: 0,
      err: expect.stringMatching(/attribution patching, .*MB beside the weights/),
    });
    const report = JSON.parse(outcome.out);
    const kinds = ['hook_resid_pre', 'hook_out_proj', 'mixer_1', 'mixer_2'];
    expect(report.points.map(({ point }: { point: string }) => point)).toEqual(kinds);
    expect(report.agreement.map(({ point }: { point: string }) => point)).toEqual(kinds);
    const states = JSON.parse((await outcomeOf(...args, '--point', 'hook_h', '--json')).out);
    expect(states.points.map(({ point }: { point: string }) => point)).toEqual(['hook_h']);
    const exact = JSON.parse((await outcomeOf('patch', ...args.slice(2), '--json')).out);
    for (const { layer, span, exact: value } of report.agreement[0].cells)
      expect(value).toBeCloseTo(exact.patched[layer][span[0]], 5);
    expect(report.agreement[0].cells).toHaveLength(4);
    expect(await values(out, 'attribution.mixer_2.effect')).toEqual(
      report.points[3].effect.flat().map((value: number) => Math.fround(value)),
    );
    const shown = await outcomeOf(...args, '--points', 'hook_h', '--steps', '2', '--metric', 'target_logprob');
    expect(shown.out).toMatch(/target_logprob\), denoise, estimated by attribution, gradients over 2 steps\nhook_h\n/);
    expect(shown.out).not.toMatch(/exact|NaN/);
    const one = await outcomeOf(...args, '--points', 'hook_h', '--check', '1');
    expect(one.out).toContain('hook_h: 1 cells patched, rank correlation –, correlation –\nlayer');
    expect(one.out).toMatch(/effect +exact\n/);
  });

  it('takes an alignment', async () => {
    const rows = tokens([[1, ...clean], corrupted]);
    const { code, out } = await outcomeOf(...['patch', ...model, ...rows, ...question, '--align', '1:6=0:5', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out).effect[0]).toHaveLength(5);
  });
});

describe('knockout', () => {
  it('writes what is left without each token, and all layers together', async () => {
    const out = file('knockout.npz');
    const args = ['knockout', ...model, ...tokens([clean]), ...question];
    const each = JSON.parse((await outcomeOf(...args, '--out', out, '--json')).out);
    expect(each.change).toHaveLength(each.layers.length);
    expect(each.change[0]).toHaveLength(clean.length);
    expect(each.tested).toEqual([true, true, true, true, false]);
    expect(each.change[0][4]).toBeNull();
    expect((await outcomeOf(...args)).out).toContain('not tested, since nobody who stops reading could read it: 4');
    expect(each.without[0][1] - each.base).toBeCloseTo(each.change[0][1], 6);
    expect(each.frozen_norms.without[0][1] - each.base).toBeCloseTo(each.frozen_norms.change[0][1], 6);
    expect(each.frozen_norms.change[0][1]).not.toBeCloseTo(each.change[0][1], 5);
    const more = ['--sources', '0:4', '--queries', 'answer', '--reads', 'block', '--together', '--mixer', 'mixer_1'];
    const together = JSON.parse((await outcomeOf(...args, ...more, '--json')).out);
    expect(together).toMatchObject({
      reads: 'block',
      queries: 'answer',
      layers: [each.layers.flat()],
      spans: [[0, 4]],
    });
  });

  it('estimates all cells at once, and says how far the checked ones agree', async () => {
    const out = file('knockout-estimates.safetensors');
    const args = ['knockout', ...model, ...tokens([clean]), ...question];
    const asked = [...args, '--attribution', '--check', '3'];
    const { code, err, out: text } = await outcomeOf(...asked, '--out', out, '--json');
    expect([code, err]).toEqual([0, expect.stringMatching(/estimating knock-outs of reads of the scan, .*MB beside/)]);
    const report = JSON.parse(text);
    const exact = JSON.parse((await outcomeOf(...args, '--json')).out);
    expect(report).toMatchObject({ base: exact.base, tested: exact.tested, reads: 'scan', queries: 'later' });
    expect(report.change[0][4]).toBeNull();
    const [{ point, cells }] = report.agreement;
    expect([point, cells.length]).toEqual(['scan', 3]);
    for (const { layer, span, exact: value } of cells) expect(value).toBeCloseTo(exact.without[layer][span[0]], 5);
    expect((await values(out, 'knockout_attribution.change'))[1]).toBeCloseTo(report.change[0][1], 5);
    const shown = await outcomeOf(...args, '--method', 'attribution', '--check', '3');
    expect(shown.out).toMatch(/estimated by attribution: 3 cells knocked out, rank correlation [-\d.–]+, /);
    expect(shown.out).toMatch(/layers +tokens +estimated +change +exact\n/);
  });
});

describe('intervene', () => {
  it('makes all changes at once, and says the same in JSON and tensors', async () => {
    const out = file('intervene.safetensors');
    const args = ['intervene', ...model, ...tokens([clean]), ...question];
    const changes = ['--off', '0.mixer_1.head.1,1.mixer_2', '--lambda', '0=0.25'];
    const found = JSON.parse((await outcomeOf(...args, ...changes, '--json', '--out', out)).out);
    const [first, both] = [found.layers[0].changed, found.changed];
    expect(first.value).not.toBeCloseTo(found.layers[0].base.value, 5);
    expect(both.value).not.toBeCloseTo(found.frozen_norms.value, 5);
    expect((await values(out, 'intervene.frozen_norms.value'))[1]).toBeCloseTo(found.layers[1].frozen_norms.value, 5);
    expect((await values(out, 'intervene.changed.margin'))[0]).toBeCloseTo(first.margin, 5);
    const one = JSON.parse((await outcomeOf(...args, '--lambda', '0=0.25', '--json')).out);
    expect(one.changed.value).not.toBeCloseTo(both.value, 5);
    const said = await outcomeOf(...args, ...changes);
    expect(said.out).toMatch(/layer 0 +unchanged/);
    expect(said.out).toContain('changed, norms frozen');
    expect(said.err).toMatch(/intervention, 1 at a time, about \d+ MB/);
  });
});

describe('ablate', () => {
  it('ablates a unit, or overrides λ', async () => {
    const out = file('ablate.safetensors');
    const args = ['ablate', ...model, ...tokens([clean]), ...question, '--layers', '1', '--json'];
    const heads = JSON.parse(
      (await outcomeOf(...args, '--unit', 'head', '--method', 'mean', '--reference', 'self', '--out', out)).out,
    );
    expect((await values(out, 'ablate.change')).length).toBe(heads.runs.length);
    const frozen = await values(out, 'ablate.frozen_norms.change');
    expect(frozen[0]).toBeCloseTo(heads.runs[0].frozen_norms.change, 5);
    expect(frozen[0]).not.toBeCloseTo(heads.runs[0].change, 5);
    expect(heads.runs[0]).toMatchObject({ layer: 1, unit: 'head', mixer: 'mixer_1', index: 0 });
    const overrides = await outcomeOf(...args, '--lambda', '0,0.5');
    expect(overrides.err).toMatch(/override of λ, 1 at a time, about \d+ MB/);
    const lambda = JSON.parse(overrides.out);
    const silent = JSON.parse((await outcomeOf(...args, '--unit', 'mixer', '--mixer', 'mixer_2')).out);
    expect(lambda.runs.map((run: { lambda: number }) => run.lambda)).toEqual([0, 0.5]);
    expect(lambda.runs[0].value).toBeCloseTo(silent.runs[0].value, 4);
  });

  it('estimates every part at once, and says how far the checked ones agree', async () => {
    const out = file('ablate-estimates.safetensors');
    const args = ['ablate', ...model, ...tokens([clean]), ...question, '--unit', 'head', '--rows', 'token'];
    const asked = [...args, '--attribution', '--check', '2'];
    const { code, err, out: text } = await outcomeOf(...asked, '--out', out, '--json');
    expect([code, err]).toEqual([0, expect.stringMatching(/estimating zero ablation of every head, .*MB beside/)]);
    const report = JSON.parse(text);
    const exact = JSON.parse((await outcomeOf(...args, '--json')).out);
    expect(report.base).toEqual(exact.base);
    expect(report.runs).toHaveLength(exact.runs.length);
    expect(report.agreement.map(({ point }: { point: string }) => point)).toEqual(['mixer_1.head', 'mixer_2.head']);
    for (const { exact: value, estimated: _, ...part } of report.agreement[0].cells)
      expect(
        exact.runs.find((run: object) =>
          Object.entries(part).every(([key, of]) => `${run[key as keyof typeof run]}` === `${of}`),
        ).value,
      ).toBeCloseTo(value, 5);
    expect((await values(out, 'ablate_attribution.change'))[1]).toBeCloseTo(report.runs[1].change, 5);
    const shown = await outcomeOf(...args, '--method', 'zero,attribution', '--check', '2');
    expect(shown.out).toMatch(
      /estimated by attribution\nmixer_1.head: 2 cells ablated, rank correlation –, correlation –\n/,
    );
    expect(shown.out).toMatch(/layer +part +tokens +estimated +change +exact\n/);
  });
});

describe('--reference', () => {
  const args = ['ablate', ...model, ...question, '--unit', 'block', '--method', 'mean', '--layers', '1'];
  const rows = [[4, ...corrupted], clean.slice(1)];

  it('takes rows of ids or lines of examples, up to where they are read, and says what was taken', async () => {
    const input = tokens([clean]);
    writeFileSync(file('rows.json'), JSON.stringify(rows));
    const lines = rows.map((row) => JSON.stringify({ tokens: [...row, 3], target: 1, position: row.length - 1 }));
    writeFileSync(file('rows.jsonl'), lines.join('\n'));
    const [ids, examples] = await Promise.all(
      ['rows.json', 'rows.jsonl'].map(async (name) =>
        JSON.parse((await outcomeOf(...args, ...input, '--reference', file(name), '--json')).out),
      ),
    );
    expect(ids.reference).toEqual({ source: 'prompts', prompts: 1, left_out: 1 });
    expect(examples.runs).toEqual(ids.runs);
    const said = await outcomeOf(...args, ...input, '--reference', file('rows.json'));
    expect(said.out).toContain('reference: 1 prompts, aligned at the read-out, 1 left out as too short');
    const self = await outcomeOf(...args, ...input, '--reference', 'self');
    expect(self.out).toContain('reference: the prompt itself, over all its tokens');
    expect(JSON.parse((await outcomeOf(...args, ...input, '--reference', 'self', '--json')).out).runs).not.toEqual(
      ids.runs,
    );
  });

  it('holds for several changes at once', async () => {
    writeFileSync(file('rows.json'), JSON.stringify(rows));
    const more = ['--off', '1', '--method', 'mean', '--reference', file('rows.json'), '--json'];
    const found = JSON.parse((await outcomeOf('intervene', ...model, ...tokens([clean]), ...question, ...more)).out);
    const one = JSON.parse(
      (await outcomeOf(...args, ...tokens([clean]), '--reference', file('rows.json'), '--json')).out,
    );
    expect(found.changed.value).toBeCloseTo(one.runs[0].value, 4);
    expect(found.reference).toEqual(one.reference);
  });
});

describe('cancellation', () => {
  it('is a former name of allocation: the same answer, and a sentence that says so', async () => {
    const args = [...model, ...tokens([clean]), ...question, '--needle', '1:2', '--json'];
    const [former, now] = [await outcomeOf('cancellation', ...args), await outcomeOf('allocation', ...args)];
    expect(former.out).toBe(now.out);
    expect(JSON.parse(now.out).models).toHaveLength(1);
    expect(former.err).toContain('"cancellation" is now a part of "allocation"');
    expect(now.err).not.toContain('former');
  });
});

describe('over examples', () => {
  const planted = join(process.cwd(), 'lib/analysis/testing/planted/mamba2');
  const asked = ['--model', planted, '--examples', join(planted, 'examples.jsonl'), '--resamples', '50'];
  const data = process.env.STATESCOPE_DATA;
  beforeAll(() => {
    process.env.STATESCOPE_DATA = file('data');
  });
  afterAll(() => {
    if (data === undefined) delete process.env.STATESCOPE_DATA;
    else process.env.STATESCOPE_DATA = data;
  });

  it('patch finds the needle, says what its intervals cover, and goes on from what it has', async () => {
    const found = await outcomeOf('patch', ...asked, '--json');
    expect(found.code, found.err).toBe(0);
    const { kind, intervals, sources } = JSON.parse(found.out);
    expect(kind).toBe('patch');
    expect(intervals).toEqual({ level: 0.95, over: 'prompts' });
    const [{ cells, metric }] = sources[0].models;
    expect(metric).toBe('logit_difference');
    const effect = (name: string) => cells.find((cell: { class: string }) => cell.class === name).effect;
    expect(effect('needle')).toMatchObject({ mean: expect.closeTo(1, 4), n: sources[0].examples });
    expect(effect('filler').mean).toBeCloseTo(0, 4);
    expect(found.err).toContain('The corrupted prompts of 12 of 12 examples were made');
    const again = await outcomeOf('patch', ...asked);
    expect(again.err).not.toContain(': 1 of 12 items');
    expect(again.out).toContain('12 examples; 95 % bootstrap intervals over prompts, not over training seeds');
    expect(again.out).toMatch(/layers +class +tokens +effect/);
  });

  it('keeps means, intervals and what they count as tensors', async () => {
    const out = file('means.safetensors');
    const found = await outcomeOf('patch', ...asked, '--out', out, '--json');
    expect(found.code, found.err).toBe(0);
    const [{ model, cells }] = JSON.parse(found.out).sources[0].models;
    const needle = cells.filter((cell: { class: string }) => cell.class === 'needle');
    const values = needle.flatMap(({ effect }: { effect: Record<string, number> }) =>
      ['mean', 'low', 'high', 'n'].map((part) => Math.fround(effect[part])),
    );
    const tensors = await readSafetensors(out);
    expect(tensors.get(`patch.${model}.effect.needle`)?.shape).toEqual([needle.length, 4]);
    expect([...(tensors.get(`patch.${model}.effect.needle`)?.data ?? [])]).toEqual(values);
    const layers = needle.flatMap((cell: { layers: number[] }) => [
      cell.layers[0],
      cell.layers[cell.layers.length - 1],
    ]);
    expect([...(tensors.get(`patch.${model}.layers`)?.data ?? [])]).toEqual(layers);
    const wrong = await outcomeOf('patch', ...asked, '--out', file('means.csv'));
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--out takes a file that ends in')]);
  });

  it('knockout and ablate likewise', async () => {
    const cut = await outcomeOf('knockout', ...asked, '--json');
    expect(cut.code, cut.err).toBe(0);
    const [{ cells }] = JSON.parse(cut.out).sources[0].models;
    const change = (name: string) => cells.find((cell: { class: string }) => cell.class === name).change_frozen_norms;
    expect(change('needle').high).toBeLessThan(0);
    const removed = await outcomeOf('ablate', ...asked, '--json');
    expect(removed.code, removed.err).toBe(0);
    const [block] = JSON.parse(removed.out).sources[0].models[0].cells;
    expect(block).toMatchObject({ layers: [0], class: 'all' });
    expect(block.change.high).toBeLessThan(0);
  });

  it('estimates of both have changes alone', async () => {
    for (const command of ['knockout', 'ablate']) {
      const { code, err, out } = await outcomeOf(command, ...asked, '--attribution', '--json');
      expect(code, err).toBe(0);
      const [{ cells }] = JSON.parse(out).sources[0].models;
      const [cell] = cells.filter(({ class: name }: { class: string }) => name === 'needle' || name === 'all');
      expect(cell.change.high).toBeLessThan(0);
      expect(cell).not.toHaveProperty('change_frozen_norms');
    }
  });

  it.each([
    [['patch', '--target', 'kitchen'], /--target is of one prompt/],
    [['patch', '--position', '3'], /--position is of one prompt/],
    [['patch', '--rows', 'token'], /A batch has --rows class/],
    [['patch', '--point', 'hook_x'], /no hook point hook_x/],
    [['patch', '--point', 'conv'], /is patched after a span/],
    [['patch', '--steps', '3'], /steps are of an attribution/],
    [['patch', '--metric', 'target_rank'], /metric: Invalid/],
    [['knockout', '--window', '2'], /A window of 2 layers does not fit/],
    [['knockout', '--layers', '4'], /There is no layer 4/],
    [['ablate', '--method', 'mean'], /takes its values from other prompts/],
    [['ablate', '--lambda', '0'], /--lambda is of one prompt/],
    [['ablate', '--attribution', '--check', '3'], /--check is of one prompt/],
  ])('%j is refused before an example is computed', async ([command, ...more], sentence) => {
    const { code, out, err } = await outcomeOf(command, ...asked, ...more);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(/^sweep \w+:/m);
  });

  it('names the line that has no corrupted prompt, or no needle', async () => {
    writeFileSync(file('bare.jsonl'), '{"tokens": [5, 9, 12], "target": 7, "needle": [0, 2]}\n');
    const bare = await outcomeOf('patch', '--model', planted, '--examples', file('bare.jsonl'));
    expect(bare.err).toMatch(/Line 1 of .*bare.jsonl has no corrupted prompt, and none can be made/);
    writeFileSync(file('none.jsonl'), '{"tokens": [5, 9, 12], "target": 7}\n');
    const none = await outcomeOf('knockout', '--model', planted, '--examples', file('none.jsonl'));
    expect(none.err).toMatch(/Example 1 of .*none.jsonl has no needle/);
  });
});

describe('rows of one prompt', () => {
  const planted = join(process.cwd(), 'lib/analysis/testing/planted/mamba2');
  const prompt = '. grass stone Mary went to the kitchen . cloud Daniel went to the garden . Where is Mary ? Answer :';
  const asked = ['--model', planted, '--prompt', prompt, '--target', 'kitchen', '--foil', 'garden', '--json'];

  it('are classes, by parts of the prompt', async () => {
    const parts = ['--needle', 'Mary went to the kitchen', '--competing', 'Daniel went to the garden'];
    const { code, out, err } = await outcomeOf('knockout', ...asked, ...parts, '--question', 'Where is Mary ? Answer');
    expect(code, err).toBe(0);
    const { classes, change, tested } = JSON.parse(out);
    expect(classes.map((each: { class: string }) => each.class)).toEqual([
      ...['self', 'needle', 'competing', 'question', 'first', 'filler'],
    ]);
    expect(tested).toEqual([false, true, true, true, true, true]);
    expect(change[0][1]).toBeLessThan(-0.1);
  });

  it('are sentences, where an ablation changes only what the answer reads', async () => {
    const { code, out, err } = await outcomeOf('ablate', ...asked, '--rows', 'sentence');
    expect(code, err).toBe(0);
    const { runs } = JSON.parse(out);
    expect(runs.length).toBeGreaterThan(3);
    expect(Math.abs(runs[0].change)).toBeLessThan(1e-5);
    expect(runs.at(-1).change).toBeLessThan(-0.1);
  });

  it.each([
    [['--rows', 'class'], /give --needle/],
    [['--rows', 'sentence', '--needle', '3:8'], /--needle is of classes/],
    [['--rows', 'sentence', '--sources', '3:8'], /not both/],
  ])('%j is refused', async (more, sentence) => {
    const { code, err } = await outcomeOf('knockout', ...asked, ...more);
    expect(code).toBe(2);
    expect(err).toMatch(sentence);
  });
});

describe('λ as a dose', () => {
  it('is relative to each layer’s own, says p and margin, and what is read of the needle', async () => {
    const args = [...model, ...tokens([clean]), ...question, '--lambda', '0,1', '--relative', '--needle', '1:2'];
    const { code, out, err } = await outcomeOf('ablate', ...args, '--together', '--json');
    expect(code, err).toBe(0);
    const { base, runs, own, relative } = JSON.parse(out);
    expect(relative).toBe(true);
    expect(own.length).toBe(runs[0].layers.length);
    expect(runs[1]).toMatchObject({ lambda: 1, change: 0, target_prob: base.target_prob, margin: base.margin });
    expect(runs[0].needle_against_context[0]).not.toBe(runs[1].needle_against_context[0]);
    const shown = await outcomeOf('ablate', ...args);
    expect(shown.out).toMatch(/needle\/context by layer/);
  });
});

describe('bad input', () => {
  it.each([
    [['patch', ...question], /no input|clean prompt as --prompt/],
    [['patch', '--target', '3', '--foil', '3', '--tokens', 'T2'], /the same token/],
    [['patch', '--target', 'garden', '--tokens', 'T2'], /must be given as a token id/],
    [['patch', ...question, '--tokens', 'T2', '--point', 'hook_x'], /has no hook point hook_x/],
    [['patch', ...question, '--tokens', 'T2', '--spans', '3-4'], /--spans takes spans of tokens such as 3:5/],
    [['patch', ...question, '--tokens', 'T2', '--align', '0:2'], /--align takes pairs of spans/],
    [['patch', ...question, '--tokens', 'T1'], /must hold two rows/],
    [['patch', ...question, '--tokens', 'T2', '--check', '3'], /--check is of an attribution: give --attribution too/],
    [['patch', ...question, '--tokens', 'T2', '--attribution', '--mixer', 'mixer_1'], /leave --mixer out/],
    [['patch', ...question, '--tokens', 'T2', '--attribution', '--metric', 'target_rank'], /has no slope to follow/],
    [['patch', ...question, '--tokens', 'T2', '--attribution', '--points', 'conv'], /no attribution for conv/],
    [
      ['patch', ...question, '--tokens', 'T2', '--attribution', '--point', 'hook_h', '--points', 'ssm'],
      /--point and --points name the same/,
    ],
    [['patch', ...question, '--tokens', 'T2', '--direction', 'up'], /--direction takes denoise, noise/],
    [['patch', '--target', '3', '--tokens', 'T2', '--metric', 'logit_difference'], /give a --foil/],
    [['knockout', ...question, '--tokens', 'T1', '--layers', '77'], /There is no layer 77/],
    [['knockout', ...question, '--tokens', 'T1', '--position', 'end'], /--position takes a whole number/],
    [['knockout', '--tokens', 'T1'], /required option '--target/],
    [['knockout', ...question, '--tokens', 'T1', '--check', '3'], /--check is of an attribution/],
    [['knockout', ...question, '--tokens', 'T1', '--attribution', '--method', 'exact'], /are two ways: take one/],
    [['ablate', ...question, '--tokens', 'T1', '--attribution', '--lambda', '0'], /leave --attribution out/],
    [['ablate', ...question, '--tokens', 'T1', '--unit', 'neuron'], /--unit takes block, mixer, head, channel/],
    [['ablate', ...question, '--tokens', 'T1', '--method', 'exact,attribution'], /are two ways: take one/],
    [['ablate', ...question, '--tokens', 'T1', '--method', 'zero,mean'], /zero and mean are two replacements/],
    [['ablate', ...question, '--tokens', 'T1', '--lambda', 'big'], /--lambda takes numbers/],
    [['ablate', ...question, '--tokens', 'T1', '--method', 'mean'], /give them as the reference, or "self"/],
    [['ablate', ...question, '--tokens', 'T1', '--lambda', '0', '--reference', 'self'], /leave --reference out/],
    [['ablate', ...question, '--tokens', 'T1', '--method', 'mean', '--reference', 'gone.jsonl'], /cannot be read/],
    [['intervene', ...question, '--tokens', 'T1'], /Nothing is changed/],
    [['intervene', ...question, '--tokens', 'T1', '--off', '0.mixer_9'], /--off takes parts such as/],
    [['intervene', ...question, '--tokens', 'T1', '--lambda', '0.5'], /--lambda takes layers with their λ/],
    [['cancellation', '--tokens', 'T1'], /Give --target and --needle/],
    [['cancellation', '--examples', 'nowhere.jsonl'], /cannot be read/],
  ])('%j ends with 2 and one sentence', async (args, message) => {
    writeFileSync(file('T1'), JSON.stringify([clean]));
    writeFileSync(file('T2'), JSON.stringify([clean, corrupted]));
    const [command, ...rest] = args.map((arg) => (/^T[12]$/.test(arg) ? file(arg) : arg));
    const { code, out, err } = await outcomeOf(command, ...model, ...rest);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err.trim().split('\n').at(-1)).toMatch(message);
    expect(err).not.toContain('    at ');
  });
});
