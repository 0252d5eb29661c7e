import { afterEach, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { parseTrainingConfig } from './config';
import { Feed } from './feed';
import { recipeOf } from './recipe';
import { RowReader } from './rows';

const stories = { source: 'retrieval', sentences: [2, 3] };
const config = {
  model: {},
  seed: 5,
  accumulate: 2,
  batch_size: 5,
  data: [stories, { ...stories, seed: 1, weight: 2 }],
  stages: [{ steps: 9 }, { steps: 9, batch_size: 2, data: stories }],
};
const recipe = recipeOf(parseTrainingConfig(config));

let open: Feed[] = [];
const opened = async (of = recipe) => {
  const found = await Feed.open(of);
  open.push(found.feed);
  return found;
};
afterEach(async () => {
  await Promise.all(open.map((feed) => feed.close()));
  open = [];
});

describe('Feed', () => {
  it('gives what the reader gives, step by step and wherever it is sent', async () => {
    const reader = await RowReader.open(recipe);
    const { feed, description } = await opened();
    expect(description).toEqual(reader.describe());
    let { start: place } = description;
    const places = [place];
    for (let step = 0; step < 5; step++) {
      const rows = await feed.step(0, place);
      expect(rows).toEqual(reader.step(0, place));
      expect(rows.batches.map(({ B }) => B)).toEqual([3, 2]);
      place = rows.place;
      places.push(place);
    }
    // A stage that ends before what is read ahead is asked for, and a place from before.
    expect(await feed.step(1, place)).toEqual(reader.step(1, place));
    expect(await feed.step(0, places[2])).toEqual(reader.step(0, places[2]));
    expect(await feed.validation(1, 4)).toEqual(reader.validation(1, 4));
  });

  it('reads ahead while nobody asks', async () => {
    const { feed, description } = await opened();
    const { place } = await feed.step(0, description.start);
    await feed.step(0, place);
    // Two steps ahead are made by now or being made: both come before what is asked for after them.
    const order: string[] = [];
    const validation = feed.validation(0, 1).then(() => order.push('validation'));
    const ahead = feed.step(0, (await RowReader.open(recipe)).step(0, place).place).then(() => order.push('step'));
    await Promise.all([validation, ahead]);
    expect(order).toEqual(['step', 'validation']);
  });

  it('reads other rows for another seed, and the same validation rows', async () => {
    const [one, other] = await Promise.all(
      [recipe, recipeOf(parseTrainingConfig({ ...config, seed: 6 }))].map((each) => RowReader.open(each)),
    );
    expect(other.step(0, other.describe().start)).not.toEqual(one.step(0, one.describe().start));
    expect(other.validation(0, 6)).toEqual(one.validation(0, 6));
  });

  it('says as the source does why it cannot be opened', async () => {
    const broken = { ...recipe, sources: [{ source: 'retrieval', sentences: 'none' }] } as unknown as typeof recipe;
    await expect(Feed.open(broken)).rejects.toThrow(InputError);
    await expect(Feed.open(broken)).rejects.toThrow('sentences');
  });

  it('ends what is being waited for when it is closed', async () => {
    const { feed, description } = await opened();
    const waiting = feed.step(0, description.start);
    const failed = expect(waiting).rejects.toThrow('closed');
    await feed.close();
    await failed;
  });
});
