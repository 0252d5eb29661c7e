import { describe, expect, it } from 'vitest';
import { ALLOCATION, type AllocationSettings, useAllocation } from '../allocation/settings';
import { type CausalSettings, useCausal } from '../causal/settings';
import { CAUSAL } from '../causal/url';
import { type Query, sayAll, takeAll } from './linked';
import {
  INITIAL_SELECTION,
  isSigned,
  overLayers,
  reductionOf,
  type Selection,
  select,
  selectSpan,
  useSelection,
} from './selection';
import { linkTo, SELECTION } from './url';

const toQuery = (selection: Selection) => sayAll(SELECTION, selection);
const fromQuery = (query: Query) => takeAll(SELECTION, query, INITIAL_SELECTION);

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
  it('take the former name of the margin', () => {
    expect(fromQuery({ metric: 'log_odds' })).toEqual({ metric: 'margin' });
    expect(toQuery({ ...INITIAL_SELECTION, metric: 'margin' }).metric).toBe('margin');
  });

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
    expect(isSigned(of({ span: 'normalised' }))).toBe(false);
    for (const span of ['norm', 'alti', 'attribution', 'attribution_code'] as const)
      expect(isSigned(of({ span }))).toBe(false);
    expect(isSigned(of({ span: 'attribution', form: 'logit' }))).toBe(true);
  });

  it('normalises rows of magnitudes only, and keeps the choice for later', () => {
    expect(reductionOf(of({ span: 'normalised' }))).toBe('mean_abs');
    expect(reductionOf(of({ span: 'normalised', form: 'block' }))).toBe('mean');
    expect(reductionOf(of({ span: 'plain' }))).toBe('mean');
  });

  it('spans layers in the form s6 only, without branches and single channels', () => {
    expect(overLayers(of({ span: 'plain', form: 'norm' }))).toBe(false);
    select({ reduction: 'one', allBranches: true });
    selectSpan('plain');
    expect(useSelection.getState()).toMatchObject({ span: 'plain', reduction: 'mean', allBranches: false });
    select(INITIAL_SELECTION);
  });
});

describe('the settings of the tests in a link', () => {
  const first = useCausal.getInitialState();
  /** As the browser's address would carry them. */
  const carried = (settings: CausalSettings) => {
    const said = Object.entries(sayAll(CAUSAL, settings)).flatMap(([name, text]) =>
      text === null ? [] : [[name, decodeURIComponent(encodeURIComponent(text))]],
    );
    return takeAll(CAUSAL, Object.fromEntries(said), first);
  };

  it('come back as they went', () => {
    const chosenTests: CausalSettings = {
      test: 'intervene',
      corrupted: 'Mary went; away',
      foil: '',
      point: 'hook_h',
      branch: 'mixer_2',
      direction: 'noise',
      measure: 'kl',
      how: 'exact',
      rows: 'tokens',
      window: 4,
      queries: 'answer',
      reads: 'block',
      norms: 'frozen',
      span: [5, 8],
      pin: { layer: 2, position: 7 },
      method: 'mean',
      changes: {
        'own/model: one;two,3': { lambdas: { 0: 0.5, 1: 0.5, 2: 0.5, 4: 1e-7, 6: 0 }, off: ['3', '2.mixer_1.head.3'] },
        untouched: { lambdas: {}, off: [] },
        b: { lambdas: {}, off: ['0.mixer_2'] },
      },
    };
    const { untouched: _nothing, ...changes } = chosenTests.changes;
    expect({ ...first, ...carried(chosenTests) }).toEqual({ ...chosenTests, changes });
  });

  it('say nothing where nothing was chosen', () => {
    expect(Object.values(sayAll(CAUSAL, first)).every((value) => value === null)).toBe(true);
    expect(carried(first)).toEqual({});
  });

  it('write equal λ of neighbouring layers once', () => {
    const lambdas = Object.fromEntries(Array.from({ length: 64 }, (_, layer) => [layer, layer === 40 ? 1 : 0.25]));
    const { set } = sayAll(CAUSAL, { ...first, changes: { m: { lambdas, off: ['3'] } } });
    expect(set).toBe('m:0-39=0.25,40=1,41-63=0.25,3');
  });

  it.each(['m:wheels', 'm:1=-2', 'm:1=x', ':1=2', 'm', '%:1', ''])('leave out changes that cannot be: %j', (text) => {
    expect(takeAll(CAUSAL, { set: text }, first)).toEqual({});
  });

  it('name the batch of allocation, and how it is shown', () => {
    const usual = useAllocation.getInitialState();
    const taken = (query: Query) => takeAll(ALLOCATION, query, usual);
    const shown: AllocationSettings = { measure: 'logit', part: 'branch_1', batch: '3f2a91c0' };
    expect(taken(sayAll(ALLOCATION, shown))).toEqual(shown);
    expect(taken({ stories: '../x' })).toEqual({});
    expect(taken(sayAll(ALLOCATION, usual))).toEqual({});
  });

  it('carry painted classes, and that an example lost its own', () => {
    const painted = { competing: [[0, 14] as const, [20, 31] as const], question: [[40, 52] as const] };
    const said = toQuery({ ...chosen, ...painted });
    expect(said).toMatchObject({ competing: '0-14,20-31', question: '40-52' });
    expect(fromQuery(said)).toMatchObject(painted);
    expect(toQuery({ ...chosen, exampleId: '', competing: [], question: [] }).competing).toBeNull();
    const none = toQuery({ ...chosen, exampleId: 'one', competing: [] });
    expect(none.competing).toBe('none');
    expect(fromQuery(none).competing).toEqual([]);
    for (const text of ['14-0', '3', '1-2,', 'x']) expect(fromQuery({ competing: text })).toEqual({});
  });
});
