'use client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '@/lib/api/client';
import type { ModelList } from '@/lib/api/schemas';
import { client } from '../data/client';
import { MODELS } from '../data/queries';

const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).join(', ');

/** What a folder that was added holds, in one sentence. */
export function foundIn({ models, unreadable }: Pick<ModelList, 'models' | 'unreadable'>): string {
  const usable = models.length > 0 ? `Found ${names(models)}.` : 'Found no model that can be used.';
  return unreadable.length > 0 ? `${usable} Not usable: ${names(unreadable)}; the list says why.` : usable;
}

/** Adds the checkpoints of a folder on the server's disk to the list. */
export function FolderField({ folders }: { folders: readonly string[] }) {
  const queries = useQueryClient();
  const [folder, setFolder] = useState('');
  const add = useMutation({
    mutationFn: () => client.addModelFolder(folder),
    onSuccess: () => queries.invalidateQueries({ queryKey: MODELS }),
  });
  const submit = () => {
    if (folder.trim() !== '') add.mutate();
  };
  const problem = add.error;
  return (
    <div className="folder-field">
      <label htmlFor="model-folder">Local folder</label>
      <input
        id="model-folder"
        className="field"
        data-testid="model-folder"
        placeholder="/path/to/checkpoints, or one below models/"
        spellCheck={false}
        value={folder}
        onChange={(event) => setFolder(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          submit();
        }}
      />
      <button
        type="button"
        className="button low"
        data-testid="model-folder-add"
        disabled={add.isPending}
        onClick={submit}
      >
        {add.isPending ? 'Reading…' : 'Add'}
      </button>
      {problem ? (
        <p className="note bad" role="alert" data-testid="model-folder-problem">
          {problem.message} {problem instanceof ApiError && problem.hint}
        </p>
      ) : (
        <p className="note" role="status" data-testid="model-folder-found">
          {add.data
            ? foundIn(add.data)
            : `A folder with config.json, weights and tokenizer.json, or one that holds such folders; below ${folders.join(', ')}. It stays in the list until the server stops.`}
        </p>
      )}
    </div>
  );
}
