'use client';
import { type ReactNode, useEffect, useState } from 'react';
import type { SnrExampleInput } from '@/lib/api/analyses';
import { linesOf, readBatch, saysExamples } from '../data/batchText';

const SHAPE = '{"prompt": "… Where is Mary? Answer:", "target": "garden", "needle": [0, 24]}';

/** Examples that are pasted or uploaded, one a line; what is wrong with a line is said in place. */
export function LinesEditor(props: {
  /** Begins the test ids. */
  testId: string;
  busy: boolean;
  /** Own prompts of the batch on the page, which a link may have opened. */
  given?: readonly SnrExampleInput[];
  onStart(examples: SnrExampleInput[]): void;
  /** Further buttons. */
  children: ReactNode;
  /** What becomes of the batch. */
  status?: ReactNode;
}) {
  const { testId, busy, given, onStart, children, status } = props;
  const [lines, setLines] = useState('');
  const [problem, setProblem] = useState('');
  useEffect(() => {
    // What was typed in another notation stays as it was typed.
    if (given) setLines((now) => (saysExamples(now, given) ? now : linesOf(given)));
  }, [given]);
  const start = () => {
    const read = readBatch(lines);
    setProblem('problem' in read ? read.problem : '');
    if ('examples' in read) onStart(read.examples);
  };
  const upload = async (file: File | undefined) => {
    if (!file) return;
    setProblem('');
    setLines(await file.text());
  };
  return (
    <>
      <textarea
        aria-label="Examples, one a line"
        data-testid={`${testId}-lines`}
        spellCheck={false}
        placeholder={`${SHAPE}\nor: prompt, tab, answer, tab, words of the needle`}
        value={lines}
        onChange={({ target }) => setLines(target.value)}
      />
      <div className="row">
        <button
          type="button"
          className="button low"
          data-testid={`${testId}-run`}
          disabled={busy || lines.trim() === ''}
          onClick={start}
        >
          Run these lines
        </button>
        <label className="button low file">
          Open JSONL
          <input
            type="file"
            className="visually-hidden"
            data-testid={`${testId}-file`}
            accept=".jsonl,.json,.txt,.tsv"
            onChange={({ target }) => void upload(target.files?.[0])}
          />
        </label>
        {children}
        {problem ? (
          <span className="note bad" role="alert">
            {problem}
          </span>
        ) : (
          status
        )}
      </div>
    </>
  );
}
