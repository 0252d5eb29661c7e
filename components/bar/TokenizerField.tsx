'use client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '@/lib/api/client';
import type { ModelList, ModelSummary } from '@/lib/api/schemas';
import { client } from '../data/client';
import { MODELS } from '../data/queries';

const FILE = 'file';

/** What the server made of texts by the tokenizer before. */
const OF_TEXT = [['tokens'], ['vocabulary'], ['target'], ['estimate']];

/** Where a model's tokens come from, in words. */
export function tokensOf({ name, tokenizer, tokenizerProblem }: ModelSummary): string {
  if (tokenizerProblem) return `${name} cannot read text: ${tokenizerProblem}`;
  if (!tokenizer) return `${name} has no tokenizer: choose one.`;
  const where = {
    model: `its own, ${tokenizer.name}`,
    chosen: `those of ${tokenizer.name}, which was chosen`,
    fallback: `those of ${tokenizer.name}, since it has none of its own`,
  };
  return `The tokens of ${name} are ${where[tokenizer.source]}.`;
}

/** Chooses what reads a model's text: its own tokenizer, the bundled one, another model's, or a file on the server's disk. */
export function TokenizerField({ list, current }: { list: ModelList; current: string }) {
  const queries = useQueryClient();
  const [name, setName] = useState(current || (list.models[0]?.name ?? ''));
  const [file, setFile] = useState<string | null>(null);
  const choose = useMutation({
    mutationFn: (wanted: string | null) => client.chooseTokenizer(name, wanted),
    onSuccess: () => Promise.all([MODELS, ...OF_TEXT].map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });
  const model = list.models.find((one) => one.name === name);
  if (!model) return null;
  const { tokenizer } = model;
  const chosen = tokenizer?.source === 'chosen' ? tokenizer.name : '';
  const offered = list.tokenizers.filter((one) => one !== name);
  const isFile = file !== null || (chosen !== '' && !offered.includes(chosen));
  const pick = (wanted: string) => {
    setFile(wanted === FILE ? '' : null);
    if (wanted !== FILE) choose.mutate(wanted === '' ? null : wanted);
  };
  const problem = choose.error;
  return (
    <div className="folder-field tokenizer-field" data-testid="tokenizer-field">
      <label htmlFor="tokenizer-model">Tokenizer of</label>
      <select
        id="tokenizer-model"
        className="field"
        data-testid="tokenizer-model"
        value={name}
        onChange={(event) => {
          choose.reset();
          setFile(null);
          setName(event.target.value);
        }}
      >
        {list.models.map((one) => (
          <option key={one.name}>{one.name}</option>
        ))}
      </select>
      <select
        className="field"
        aria-label={`Tokenizer of ${name}`}
        data-testid="tokenizer-choice"
        disabled={choose.isPending}
        value={isFile ? FILE : chosen}
        onChange={(event) => pick(event.target.value)}
      >
        <option value="">by itself</option>
        {offered.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
        <option value={FILE}>a file…</option>
      </select>
      {file !== null && (
        <input
          className="field"
          aria-label="Path of a tokenizer.json"
          placeholder="/path/to/tokenizer.json, Enter reads it"
          data-testid="tokenizer-file"
          spellCheck={false}
          value={file}
          onChange={(event) => setFile(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || file.trim() === '') return;
            event.preventDefault();
            choose.mutate(file);
          }}
        />
      )}
      {problem ? (
        <p className="note bad" role="alert" data-testid="tokenizer-problem">
          {problem.message} {problem instanceof ApiError && problem.hint}
        </p>
      ) : (
        <p className="note" role="status" data-testid="tokenizer-source">
          {tokensOf(model)}
        </p>
      )}
    </div>
  );
}
