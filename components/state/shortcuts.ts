import { create } from 'zustand';
import { DIFFERENCE_TERMS } from '@/lib/vocabulary';
import { METRICS } from '../charts/curve';
import { makeView, type View } from '../data/view';
import { FORMS } from './forms';
import { clearHover } from './hover';
import { maximise, toggleMaximised, useMaximised } from './maximised';
import { showWindow } from './motion';
import { isBusy, runOrCancel } from './request';
import { cancelRun, useRun } from './run';
import { select, swapModels, useSelection } from './selection';
import { toggleTheme } from './theme';

export interface Shortcuts {
  readonly helpOpen: boolean;
  /** Single letters can be switched off for people whose tools type them. */
  readonly singleKeys: boolean;
  /** A short message in place of a dialog, such as "link copied". */
  readonly notice: string;
}

export const useShortcuts = create<Shortcuts>()(() => ({ helpOpen: false, singleKeys: true, notice: '' }));

export const setShortcuts = (patch: Partial<Shortcuts>): void => useShortcuts.setState(patch);

/** Browsers slow down pages that write their address often: it is written once a gesture has ended. */
export const URL_QUIET_MS = 200;

let noticeTimer: ReturnType<typeof setTimeout> | undefined;

export function notify(notice: string): void {
  clearTimeout(noticeTimer);
  setShortcuts({ notice });
  noticeTimer = setTimeout(() => setShortcuts({ notice: '' }), 2000);
}

export function copyLink(): void {
  // The address follows the selection a moment later.
  setTimeout(() => {
    navigator.clipboard.writeText(location.href).then(
      () => notify('link copied'),
      () => notify('copying was refused; the address bar holds the link'),
    );
  }, URL_QUIET_MS + 50);
}

const VALUES = ['linear', 'log', 'row'] as const;

/** What the layer keys move through: the run on the page, unless a page of its own says otherwise. */
let viewOf = (): View | undefined => makeView(useSelection.getState(), useRun.getState().run);

export const setView = (view: typeof viewOf): void => {
  viewOf = view;
};

const next = <T>(list: readonly T[], current: T, step: number): T =>
  list[(list.indexOf(current) + step + list.length) % list.length];

function moveLayer(to: (layer: number, layers: number) => number): void {
  const view = viewOf();
  if (view) select({ layer: Math.min(Math.max(0, to(view.layer, view.layers)), view.layers - 1) });
}

const isTextField = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && !['radio', 'checkbox', 'range'].includes(target.type)));

/** Figures with a cursor of their own, and radio groups, keep the arrow keys. */
const ownsArrows = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.closest('[data-arrows]') !== null || target instanceof HTMLInputElement);

function letter(key: string): boolean {
  const selection = useSelection.getState();
  switch (key) {
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
      select({ metric: METRICS[Number(key) - 1], paper: false });
      return true;
    case '[':
    case ']':
      select({ branch: next(DIFFERENCE_TERMS, selection.branch, key === ']' ? 1 : -1) });
      return true;
    case 'f':
      select({ form: next(FORMS, selection.form, 1) });
      return true;
    case 'n':
      select({ values: next(VALUES, selection.values, 1) });
      return true;
    case 'm':
      toggleMaximised();
      return true;
    case 'e':
      document.querySelector<HTMLElement>('[data-shortcut="export"]')?.click();
      return true;
    case 'd':
      select({ difference: !selection.difference });
      return true;
    case '0':
      showWindow(null);
      return true;
    case 's':
      select({ sharedScale: !selection.sharedScale });
      return true;
    case 'x':
      swapModels();
      return true;
    case 't':
      toggleTheme();
      return true;
    case 'l':
      copyLink();
      return true;
    case '?':
      setShortcuts({ helpOpen: true });
      return true;
    default:
      return false;
  }
}

function cancelOrClear(): void {
  if (isBusy()) void cancelRun();
  else if (useMaximised.getState().section) maximise('');
  else select({ lock: null });
  clearHover();
}

const LAYER_MOVES = new Map<string, (layer: number, layers: number) => number>([
  ['ArrowLeft', (layer) => layer - 1],
  ['ArrowRight', (layer) => layer + 1],
  ['Home', () => 0],
  ['End', (_, layers) => layers - 1],
]);

/** The page's keyboard. Nothing happens inside text fields, except Run. */
export function handleKey(event: KeyboardEvent): void {
  if ((event.metaKey || event.ctrlKey) && event.key === 'Enter') {
    event.preventDefault();
    if (!isBusy()) runOrCancel();
    return;
  }
  if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
  if (isTextField(event.target) || useShortcuts.getState().helpOpen) return;
  if (event.key === 'Escape') {
    cancelOrClear();
    return;
  }
  const move = LAYER_MOVES.get(event.key);
  if (move) {
    if (ownsArrows(event.target)) return;
    event.preventDefault();
    moveLayer(move);
    return;
  }
  if (useShortcuts.getState().singleKeys && letter(event.key.toLowerCase())) event.preventDefault();
}
