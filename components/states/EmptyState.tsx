'use client';
import { useExamples, useModels } from '../data/queries';
import { loadExample } from '../state/edit';
import { useSelection } from '../state/selection';

const SHOWN = 3;

/** Before the first run: one question, two sentences, three examples. */
export function EmptyState() {
  const { data, error } = useExamples();
  const { data: models } = useModels();
  const exampleId = useSelection((s) => s.exampleId);
  return (
    <div className="empty">
      <h2>Which earlier tokens does each layer read?</h2>
      <p>
        Pick an example or type a prompt; mark the needle, the position to read out and the token that should come next.
        Then press Run: both models run on this machine.
      </p>
      {models?.models.length === 0 && (
        <p className="bad">
          No models were found: put a checkpoint folder into models/ or name one in STATESCOPE_MODELS.
        </p>
      )}
      {error && (
        <p className="bad" role="alert">
          {error.message}
        </p>
      )}
      <div className="examples">
        {data?.examples.slice(0, SHOWN).map((example) => (
          <button
            type="button"
            key={example.id}
            aria-pressed={example.id === exampleId}
            onClick={() => loadExample(example, models && { ...data, ...models })}
          >
            <b>{example.title}</b>
            <code>{example.prompt}</code>
            <small>
              {example.description} Answer: {example.target.trim()}.
            </small>
          </button>
        ))}
      </div>
    </div>
  );
}
