'use client';
import { useHealth } from '../data/queries';
import type { View } from '../data/view';
import { ExportButton } from '../export/ExportButton';
import { setShortcuts } from '../state/shortcuts';
import { HelpIcon } from '../ui/icons';
import { ShareButton, ThemeButton } from '../ui/tools';
import { ModelPickers } from './ModelPicker';
import { RunControl } from './RunControl';
import { RunsLink } from './RunsLink';

function Device() {
  const { data } = useHealth();
  if (!data?.device) return null;
  const { name, description, threads, weights } = data.device;
  return (
    <div className="device" title={`The device that computes what is on this page: ${description}`}>
      <b>{name}</b> · {threads} {threads === 1 ? 'thread' : 'threads'}
      {weights === 'bf16' && ' · bf16 weights'}
      <br />
      {description}
    </div>
  );
}

export function TopBar({ view }: { view: View | undefined }) {
  return (
    <header className="bar">
      <h1>Statescope</h1>
      <ModelPickers />
      <span className="grow" />
      <Device />
      <RunControl stale={view?.stale ?? false} />
      <div className="tools">
        <RunsLink />
        <ExportButton view={view} />
        <ShareButton />
        <button
          type="button"
          className="button quiet icon"
          title="Keyboard (?)"
          aria-label="Keyboard shortcuts"
          onClick={() => setShortcuts({ helpOpen: true })}
        >
          <HelpIcon />
        </button>
        <ThemeButton />
      </div>
    </header>
  );
}
