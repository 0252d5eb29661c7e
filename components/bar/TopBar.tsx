'use client';
import { useHealth } from '../data/queries';
import { ExportButton } from '../export/ExportButton';
import { RunsLink } from '../runs/RunsLink';
import { copyLink, setShortcuts, useShortcuts } from '../state/shortcuts';
import { toggleTheme } from '../state/theme';
import { HelpIcon, LinkIcon, ThemeIcon } from './icons';
import { ModelPickers } from './ModelPicker';
import { RunControl } from './RunControl';

function Device() {
  const { data } = useHealth();
  if (!data?.device) return null;
  const { name, description, threads } = data.device;
  return (
    <div className="device" title={`The device that computes what is on this page: ${description}`}>
      <b>{name}</b> · {threads} {threads === 1 ? 'thread' : 'threads'}
      <br />
      {description}
    </div>
  );
}

export function TopBar({ stale }: { stale: boolean }) {
  const notice = useShortcuts((s) => s.notice);
  return (
    <header className="bar">
      <h1>Statescope</h1>
      <ModelPickers />
      <span className="grow" />
      <Device />
      <RunControl stale={stale} />
      <div className="tools">
        <RunsLink />
        <ExportButton />
        <button
          type="button"
          className="button quiet icon"
          title="Copy the link of this page (L)"
          aria-label="Share: copy the link of this page"
          onClick={copyLink}
        >
          <LinkIcon />
          <span className="label" aria-hidden="true">
            {notice === 'link copied' ? 'Copied' : 'Share'}
          </span>
        </button>
        <button
          type="button"
          className="button quiet icon"
          title="Keyboard (?)"
          aria-label="Keyboard shortcuts"
          onClick={() => setShortcuts({ helpOpen: true })}
        >
          <HelpIcon />
        </button>
        <button
          type="button"
          data-testid="theme-toggle"
          className="button quiet icon"
          title="Light or dark (T)"
          aria-label="Switch between light and dark"
          onClick={toggleTheme}
        >
          <ThemeIcon />
        </button>
        <span className="visually-hidden" role="status">
          {notice}
        </span>
      </div>
    </header>
  );
}
