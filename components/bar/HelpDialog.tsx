'use client';
import { useEffect, useRef } from 'react';
import { setShortcuts, useShortcuts } from '../state/shortcuts';

const KEYS: readonly (readonly [string, string])[] = [
  ['← →', 'previous, next layer'],
  ['Home End', 'first, last layer'],
  ['1 2 3 4 5', 'metric: p(target), margin, SNR, needle/context, log-odds'],
  ['[ ]', 'branch of a differential block: mixer 1, λ·mixer 2, difference'],
  ['F', 'form: S6 α, block, logit contribution, norm'],
  ['N', 'values: linear, log, per row'],
  ['D', 'show B − A'],
  ['S', 'shared scale'],
  ['drag on a map', 'zoom to a range of tokens; ⌘ or Ctrl and the wheel zoom; Shift and a drag move the view'],
  ['0', 'show the whole map; a double click does the same'],
  ['X', 'swap A and B'],
  ['M', 'maximise the section under the pointer, or restore the page'],
  ['E', 'export'],
  ['T', 'light or dark'],
  ['L', 'copy the link of this page'],
  ['⌘↵ or Ctrl ↵', 'run'],
  ['Esc', 'cancel a run, else restore a maximised section, else clear the lock; frees a pinned cell'],
  [
    'arrows in a map',
    'move the cell cursor; Shift moves by 8; Home and End go to the row’s ends; Enter locks; + and − zoom',
  ],
  [
    'arrows in a causal grid',
    'move by layer and token; Enter pins, Shift with up and down chooses a span of sources to knock out',
  ],
  ['arrows in the tokens', 'move; Enter sets; Shift extends the needle'],
  ['?', 'this list'],
];

export function HelpDialog() {
  const { helpOpen, singleKeys } = useShortcuts();
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (helpOpen && !dialog?.open) dialog?.showModal();
    if (!helpOpen && dialog?.open) dialog.close();
  }, [helpOpen]);
  return (
    <dialog ref={ref} aria-labelledby="help-title" onClose={() => setShortcuts({ helpOpen: false })}>
      <h2 id="help-title">Keyboard</h2>
      <table>
        <tbody>
          {KEYS.map(([keys, what]) => (
            <tr key={keys}>
              <th scope="row">
                <kbd>{keys}</kbd>
              </th>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p style={{ marginTop: 12, display: 'flex', flexWrap: 'wrap', gap: 16 }}>
        <button type="button" className="button" onClick={() => setShortcuts({ helpOpen: false })}>
          Close <kbd>Esc</kbd>
        </button>
        <label className="checkbox">
          <input
            type="checkbox"
            checked={singleKeys}
            onChange={(event) => setShortcuts({ singleKeys: event.target.checked })}
          />
          Single-letter keys
        </label>
      </p>
    </dialog>
  );
}
