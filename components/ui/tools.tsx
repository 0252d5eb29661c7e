'use client';
import { type ReactNode, useEffect } from 'react';
import { copyLink, useShortcuts } from '../state/shortcuts';
import { followTheme, toggleTheme } from '../state/theme';
import { LinkIcon, ThemeIcon } from './icons';

/** Copies the address of the page, which holds the selection. */
export function ShareButton() {
  const notice = useShortcuts((s) => s.notice);
  return (
    <>
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
      <span className="visually-hidden" role="status">
        {notice}
      </span>
    </>
  );
}

export const ThemeButton = () => (
  <button
    type="button"
    data-testid="theme-toggle"
    className="button quiet icon"
    title="Light or dark"
    aria-label="Switch between light and dark"
    onClick={toggleTheme}
  >
    <ThemeIcon />
  </button>
);

/** The bar of every page but the workbench: the way back, and the page's own tools. */
export function PageBar({ children }: { children?: ReactNode }) {
  useEffect(followTheme, []);
  return (
    <header className="bar">
      <h1>
        <a href="/">Statescope</a>
      </h1>
      <span className="grow" />
      <div className="tools">
        {children}
        <ThemeButton />
      </div>
    </header>
  );
}
