import { beforeEach, expect, it } from 'vitest';
import { editCandidates, editPrompt, isFound, loadExample } from './edit';
import { INITIAL_SELECTION, select, useSelection } from './selection';

const PROMPT = 'Mary is in the garden. John is in the kitchen. Where is Mary? Answer:';
const state = () => useSelection.getState();
const competing = () => state().competing.map(([start, end]) => state().prompt.slice(start, end));

beforeEach(() => {
  useSelection.setState({ ...INITIAL_SELECTION, prompt: PROMPT, target: 'garden', needle: [0, 22] });
});

it('finds what competes as candidates and text change, as long as nobody has painted it', () => {
  editCandidates(state(), ['garden', 'kitchen']);
  expect(competing()).toEqual(['John is in the kitchen.']);
  expect(isFound(state())).toBe(true);
  editPrompt(state(), `It rained in the kitchen. ${PROMPT}`);
  expect(competing()).toEqual(['It rained in the kitchen.', 'John is in the kitchen.']);
  expect(state().prompt.slice(...(state().needle as [number, number]))).toBe('Mary is in the garden.');
});

it('lets what was painted stand, at its words', () => {
  select({ competing: [[23, 27]] });
  editCandidates(state(), ['garden', 'kitchen']);
  expect(competing()).toEqual(['John']);
  expect(isFound(state())).toBe(false);
  editPrompt(state(), `Well. ${PROMPT}`);
  expect(competing()).toEqual(['John']);
});

it('keeps target and candidates while the text has to do with them, and forgets them with it', () => {
  editCandidates(state(), ['garden', 'kitchen']);
  editPrompt(state(), 'John is in the Kitchen. Where is John? Answer:');
  expect([state().target, state().candidates]).toEqual(['garden', ['garden', 'kitchen']]);
  editPrompt(state(), 'The quick brown fox jumps over the lazy dog.');
  expect([state().target, state().candidates]).toEqual(['', []]);
});

it('shows an example with the pair that it is made for, where that is there', () => {
  const example = {
    id: 'a',
    title: '',
    description: '',
    prompt: 'x y',
    needle: [0, 1] as [number, number],
    target: 'y',
  };
  const models = ['own', 'one', 'other', 'small', 'twin'].map((name) => ({ name }));
  const shown = (from: [string, string], pair?: [string, string]) => {
    select({ modelA: from[0], modelB: from[1], layer: 3 });
    const wanted = { ...example, candidates: [], models: pair, layer: 5 };
    const examples = [wanted, { ...wanted, models: ['small', 'twin'] as [string, string] }];
    loadExample(wanted, { examples, models });
    return [state().prompt, state().modelA, state().modelB, state().layer];
  };
  expect(shown(['small', 'twin'])).toEqual(['x y', 'small', 'twin', 3]);
  expect(shown(['small', 'twin'], ['one', 'other'])).toEqual(['x y', 'one', 'other', 5]);
  expect(shown(['', ''], ['one', 'other'])).toEqual(['x y', 'one', 'other', 5]);
  expect(shown(['small', ''], ['one', 'gone'])).toEqual(['x y', 'small', '', 3]);
  // Texts of others are tried on one's own model.
  expect(shown(['own', 'twin'], ['one', 'other'])).toEqual(['x y', 'own', 'twin', 3]);
});
