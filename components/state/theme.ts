import { create } from 'zustand';
import { PALETTES, type Palette } from '@/lib/figures/palette';
import { THEME_KEY } from './theme-script';

export type Theme = 'light' | 'dark';

export const useTheme = create<{ theme: Theme }>()(() => ({ theme: 'light' }));

export const usePalette = (): Palette => PALETTES[useTheme((state) => state.theme)];

/** Shows a theme without remembering it. */
export function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  useTheme.setState({ theme });
}

export function toggleTheme(): void {
  const next = useTheme.getState().theme === 'dark' ? 'light' : 'dark';
  showTheme(next);
  try {
    localStorage.setItem(THEME_KEY, next);
  } catch {
    // Private windows may refuse storage; the choice then lasts as long as the page.
  }
}

/** Reads what the first-paint script decided and follows the system until the researcher chooses. Returns a stop function. */
export function followTheme(): () => void {
  showTheme(document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => {
    let chosen: string | null = null;
    try {
      chosen = localStorage.getItem(THEME_KEY);
    } catch {
      chosen = null;
    }
    if (!chosen) showTheme(system.matches ? 'dark' : 'light');
  };
  system.addEventListener('change', follow);
  return () => system.removeEventListener('change', follow);
}
