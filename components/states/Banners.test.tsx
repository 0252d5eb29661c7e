import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { ApiError } from '@/lib/api/client';
import { ModelPickers } from '../bar/ModelPicker';
import { MODELS } from '../data/queries';
import { Banners, modelNotes } from './Banners';

/** The page's bar and banners where asking for the models has failed, or not. */
function shown(error?: Error): string {
  const client = new QueryClient({ defaultOptions: { queries: { retryOnMount: false } } });
  client
    .getQueryCache()
    .build(client, { queryKey: MODELS })
    .setState(error ? { status: 'error', error } : {});
  return renderToStaticMarkup(
    <QueryClientProvider client={client}>
      <ModelPickers />
      <Banners view={undefined} />
    </QueryClientProvider>,
  );
}

describe('a list of models that cannot be had', () => {
  it('is said in a sentence, with what to do', () => {
    const html = shown(new ApiError('The reader is not built.', 503, 'Run npm run setup.'));
    expect(html).toContain('role="alert"');
    expect(html).toContain('The models cannot be listed: The reader is not built.');
    expect(html).toContain('Run npm run setup.');
    expect(html).toContain('no list of models');
    expect(html).not.toContain('choose a model');
  });

  it('is not said before it was asked for', () => {
    const html = shown();
    expect(html).not.toContain('role="alert"');
    expect(html).toContain('choose a model');
  });
});

describe('what is to be known of the models’ files', () => {
  const tokenizer = { source: 'fallback', name: 'gpt-neox-20b' } as const;

  it('is said once for all models that it is about, by name', () => {
    const notes = modelNotes([
      { name: 'a', warnings: ['its norm_eps is 1e-6.'], tokenizer },
      { name: 'b', tokenizer },
      { name: 'b', tokenizer },
    ]);
    expect(notes.map(({ names }) => names)).toEqual([['a'], ['a', 'b']]);
    expect(notes[1].text).toContain('gpt-neox-20b');
  });

  it('tells a tokenizer that was chosen', () => {
    const [note] = modelNotes([{ name: 'a', tokenizer: { source: 'chosen', name: 'demo-mamba2' } }]);
    expect(note.text).toContain('the tokens of demo-mamba2, as chosen');
  });

  it('is nothing where the files are used as they are', () => {
    expect(modelNotes([{ name: 'a', tokenizer: { source: 'model', name: 'tokenizer.json' } }])).toEqual([]);
  });
});
