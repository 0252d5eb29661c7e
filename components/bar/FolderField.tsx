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

/** Folders that were added, and those of them that are gone. */
function AddedFolders({ list }: { list: ModelList }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: (folder: string) => client.removeModelFolder(folder),
    onSettled: () => queries.invalidateQueries({ queryKey: MODELS }),
  });
  const { added, dropped } = list;
  if (added.length + dropped.length === 0) return null;
  return (
    <ul className="added-folders" data-testid="added-folders">
      {added.map((folder) => (
        <li key={folder}>
          <span className="mono">{folder}</span>
          <button
            type="button"
            className="button low"
            aria-label={`Remove ${folder} from the list`}
            disabled={remove.isPending}
            onClick={() => remove.mutate(folder)}
          >
            Remove
          </button>
        </li>
      ))}
      {dropped.map(({ folder, problem }) => (
        <li key={folder} data-testid="dropped-folder">
          <span className="bad">{problem}</span>
          <button
            type="button"
            className="button low"
            aria-label={`Dismiss: ${problem}`}
            disabled={remove.isPending}
            onClick={() => remove.mutate(folder)}
          >
            Dismiss
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Adds the checkpoints of a folder on the server's disk to the list, and takes them from it. */
export function FolderField({ list }: { list: ModelList }) {
  const { folders } = list;
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
            : `A folder with config.json, weights and tokenizer.json, or one that holds such folders; below ${folders.join(', ')}. It stays in the list until it is removed here; its files stay in any case.`}
        </p>
      )}
      <AddedFolders list={list} />
    </div>
  );
}
