import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import {
  createModel,
  type DecodingState,
  disposeState,
  editState,
  exportState,
  extend,
  type Hook,
  importState,
  type Model,
  type StateTensor,
} from '@/lib/models';
import { ADD_ON, needs } from '@/testing/needs';
import { referenceCases } from './testing/fixtures';

const difference = (a: tf.Tensor, b: tf.Tensor) =>
  tf.tidy(() => a.sub(b).abs().max().dataSync()[0] / b.abs().max().dataSync()[0]);

const devices = isAvailable ? (['native', 'cpu'] as const) : (['cpu'] as const);
const casesOnDevices = devices.flatMap((device) => referenceCases().map((each) => ({ ...each, device })));

describe.each(casesOnDevices)('decoding $name with state on $device', ({ device, folder, tokens, greedy }) => {
  let model: Model;
  beforeAll(async () => {
    await openDevice({ device });
    model = createModel(await loadCheckpoint(folder));
  });
  afterAll(() => model.dispose());

  it('equals the full forward pass at every step, for the whole batch', () => {
    const full = model.forward(tokens);
    const prompt = Math.max(1, tokens[0].length - 5);
    let { logits, state } = extend(
      model,
      tokens.map((row) => row.slice(0, prompt)),
    );
    for (let t = prompt - 1; ; t++) {
      expect(difference(logits, full.slice([0, t, 0], [-1, 1, -1])), `position ${t}`).toBeLessThan(1e-5);
      if (t + 1 === tokens[0].length) break;
      ({ logits, state } = extend(
        model,
        tokens.map((row) => [row[t + 1]]),
        state,
      ));
    }
    expect(state.position).toBe(tokens[0].length);
  });

  it('reads a prompt in pieces as it reads it at once', () => {
    const whole = extend(model, tokens);
    const L = tokens[0].length;
    const cuts = [0, 1, Math.floor(L / 2), L - 1, L].filter((cut, i, all) => all.indexOf(cut) === i);
    let logits: tf.Tensor | undefined;
    let state: DecodingState | undefined;
    for (let i = 1; i < cuts.length; i++)
      ({ logits, state } = extend(
        model,
        tokens.map((row) => row.slice(cuts[i - 1], cuts[i])),
        state,
      ));
    expect(difference(logits as tf.Tensor, whole.logits)).toBeLessThan(1e-5);
    expect([...(state as DecodingState).tensors.keys()].sort()).toEqual([...whole.state.tensors.keys()].sort());
    for (const [name, value] of (state as DecodingState).tensors)
      expect(difference(value, whole.state.tensors.get(name) as tf.Tensor), name).toBeLessThan(1e-5);
  });

  it('decodes greedily to the tokens of the reference', () => {
    let { logits, state } = extend(model, [greedy.prompt_tokens]);
    for (const expected of greedy.new_tokens) {
      const next = logits.argMax(-1).dataSync()[0];
      expect(next).toBe(expected);
      ({ logits, state } = extend(model, [[next]], state));
    }
  });
});

describe.each(devices)('a decoding state on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    await openDevice({ device });
    model = createModel(await loadCheckpoint(referenceCases()[0].folder));
  });
  afterAll(() => model.dispose());

  it('stays valid after it was continued, and can be edited', () => {
    const { state } = extend(model, [[1, 2, 3]]);
    const once = extend(model, [[4]], state).logits;
    expect(difference(extend(model, [[4]], state).logits, once)).toBe(0);
    const edited = editState(state, [['*.ssm', (value) => value.mul(0)]]);
    expect(edited.position).toBe(3);
    expect(difference(extend(model, [[4]], edited).logits, once)).toBeGreaterThan(1e-4);
    expect(difference(extend(model, [[4]], state).logits, once)).toBe(0);
    expect(() => editState(state, [['blocks.99.*', (value) => value]])).toThrow(
      /no tensor blocks\.99\.\*: its tensors are/,
    );
  });

  it('comes back from the values that were exported', () => {
    const { state } = extend(model, [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const stored = new Map(exportState(state).map((tensor) => [tensor.name, tensor]));
    const back = importState(model, stored);
    expect(back.position).toBe(3);
    const [next, again] = [state, back].map((each) => extend(model, [[7], [8]], each).logits);
    expect(difference(again, next)).toBe(0);

    const [name, first] = [...stored][0];
    const refused = (change: (tensors: Map<string, StateTensor>) => unknown) => {
      const tensors = new Map<string, StateTensor>(stored);
      change(tensors);
      return () => importState(model, tensors);
    };
    expect(refused((tensors) => tensors.delete(name))).toThrow(`The state lacks ${name}`);
    expect(refused((tensors) => tensors.set('more', first))).toThrow('The state holds more');
    expect(refused((tensors) => tensors.set(name, { ...first, shape: [2, 1] }))).toThrow('has shape [2,1]');
    const broken = Float32Array.from(first.data).fill(Number.NaN, 0, 1);
    expect(refused((tensors) => tensors.set(name, { ...first, data: broken }))).toThrow(/NaN or infinite/);
  });

  it('has a gradient', () => {
    const { state } = extend(model, [[1, 2, 3]]);
    const [name, initial] = [...state.tensors].find(([each]) => each.endsWith('ssm')) as [string, tf.Tensor];
    const sum = (value: tf.Tensor) =>
      extend(model, [[4, 5]], { ...state, tensors: new Map(state.tensors).set(name, value) })
        .logits.square()
        .sum();
    const gradient = tf.grad(sum)(initial);
    const direction = gradient.div(gradient.norm());
    const [up, down] = [1, -1].map((sign) => sum(initial.add(direction.mul(sign * 1e-2))).dataSync()[0]);
    const slope = (up - down) / 2e-2;
    expect(Math.abs(gradient.norm().dataSync()[0] / slope - 1)).toBeLessThan(2e-2);
  });

  it('keeps memory flat over many steps', () => {
    let { logits, state } = extend(model, [[1, 2, 3]]);
    const before = tf.memory();
    for (let i = 0; i < 200; i++) {
      const next = extend(model, [[i % 50]], state);
      tf.dispose(logits);
      disposeState(state);
      ({ logits, state } = next);
    }
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
  });

  it('refuses another batch size', () => {
    const { state } = extend(model, [[1, 2, 3]]);
    expect(() => extend(model, [[4], [5]], state)).toThrow(/of 1 rows and the tokens are of 2/);
  });

  it('shows states by their position in the text', () => {
    const { state } = extend(model, [[1, 2, 3]]);
    const seen: string[] = [];
    extend(model, [[4]], state, [['*.hook_h.3', (_, name) => void seen.push(name)]]);
    expect(seen.length).toBeGreaterThan(0);
  });
});

describe('a step of one token on the native device', needs(isAvailable, ADD_ON), () => {
  /** The kernels of one step after a prompt, block by block in the order that they ran in. */
  async function kernelsOf(model: Model, rows: number, hooks: Hook[] = []): Promise<string[]> {
    const { state } = extend(
      model,
      Array.from({ length: rows }, () => [1, 2, 3]),
    );
    const next = Array.from({ length: rows }, () => [4]);
    const { kernels } = await tf.profile(() => {
      extend(model, next, state, hooks);
    });
    return kernels.map(({ name }) => name);
  }

  it('is one kernel for each mixer, except where somebody looks inside', async () => {
    await openDevice({ device: 'native' });
    const found = new Set<string>();
    for (const { folder, blocks } of referenceCases()) {
      const model = createModel(await loadCheckpoint(folder));
      const steps = (names: string[]) => names.filter((name) => name.endsWith('Step'));
      const all = steps(await kernelsOf(model, 2));
      for (const name of all) found.add(name);
      if (all.length > 0) {
        const index = blocks.findIndex((kind) => kind !== 'diff_s6');
        const scope = !blocks[index].startsWith('diff') || blocks[index] === 'diff_mamba2e' ? '' : 'mixer_1.';
        for (const point of ['hook_delta', 'hook_h.3', 'hook_conv'])
          expect(
            steps(await kernelsOf(model, 1, [[`blocks.${index}.${scope}${point}`, () => undefined]])),
            point,
          ).toHaveLength(all.length - 1);
        const outside: Hook = ['blocks.*.hook_out_proj', () => undefined];
        expect(steps(await kernelsOf(model, 1, [outside, ['blocks.0.hook_h.2', () => undefined]]))).toEqual(all);
        expect(steps(await kernelsOf(model, 9)), 'many rows').toEqual([]);
      }
      model.dispose();
    }
    expect([...found].sort()).toEqual(['Mamba1Step', 'Mamba2Step']);
  });
});
