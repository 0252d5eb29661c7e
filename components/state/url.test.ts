import { describe, expect, it } from 'vitest';
import { INITIAL_SELECTION, isSigned, overLayers, type Selection, select, selectSpan, useSelection } from './selection';
import { fromQuery, linkTo, toQuery } from './url';

const chosen: Selection = {
  ...INITIAL_SELECTION,
  modelA: 'one',
  modelB: 'two',
  runId: '7f3c',
  prompt: 'Mary went home .',
  continuation: { start: 9, ids: [4, 17] },
  target: ' home',
  targetId: 17,
  needle: [0, 14],
  position: 3,
  layer: 2,
  branch: 'lambda_mixer_2',
  form: 'block',
  span: 'attribution',
  without: ['conv', 'D'],
  reduction: 'one',
  part: { A: 4, B: 7 },
  values: 'row',
  sharedScale: false,
  metric: 'snr',
  logAxis: false,
  lensColour: 'rank',
  lensRows: 'page-2',
  lock: { destination: 3, source: 1 },
};

describe('the selection in a link', () => {
  it('comes back as it went', () => {
    expect({ ...INITIAL_SELECTION, ...fromQuery(toQuery(chosen)) }).toEqual(chosen);
  });

  it('leaves out what has its first value', () => {
    const { a, b, ...rest } = toQuery({ ...INITIAL_SELECTION, modelA: 'one' });
    expect([a, b]).toEqual(['one', 'none']);
    expect(Object.values(rest).every((value) => value === null)).toBe(true);
  });

  it('names the example instead of its text', () => {
    expect(toQuery({ ...chosen, exampleId: 'qa1' })).toMatchObject({ example: 'qa1', prompt: null });
  });

  it('can say that there is no second model', () => {
    expect(fromQuery({ b: 'none' })).toEqual({ modelB: '' });
    expect(fromQuery({})).toEqual({});
  });
});

describe('the address', () => {
  it('keeps what is not of the selection', () => {
    const address = 'http://host/compare?first=7.0&layer=5&lock=9-9#maps';
    const link = new URL(linkTo(address, { ...chosen, lock: null }));
    expect(link.searchParams.get('first')).toBe('7.0');
    expect(link.searchParams.get('layer')).toBe('2');
    expect(link.searchParams.has('lock')).toBe(false);
    expect(link.hash).toBe('#maps');
    expect(linkTo(link.href, { ...chosen, lock: null })).toBe(link.href);
  });
});

describe('what maps are drawn with', () => {
  const of = (patch: Partial<Selection>) => ({ ...INITIAL_SELECTION, ...patch });

  it('has a sign by form, reduction and span', () => {
    expect(isSigned(of({}))).toBe(true);
    expect(isSigned(of({ reduction: 'max' }))).toBe(false);
    expect(isSigned(of({ span: 'plain' }))).toBe(true);
    expect(isSigned(of({ span: 'attribution' }))).toBe(false);
    expect(isSigned(of({ span: 'attribution', form: 'logit' }))).toBe(true);
  });

  it('spans layers in the form s6 only, without branches and single channels', () => {
    expect(overLayers(of({ span: 'plain', form: 'norm' }))).toBe(false);
    select({ reduction: 'one', allBranches: true });
    selectSpan('plain');
    expect(useSelection.getState()).toMatchObject({ span: 'plain', reduction: 'mean', allBranches: false });
    select(INITIAL_SELECTION);
  });
});
