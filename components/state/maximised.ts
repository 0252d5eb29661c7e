import { create } from 'zustand';

/** The id of the section that has the page for itself; empty for none. Never in the URL. */
export const useMaximised = create<{ readonly section: string }>()(() => ({ section: '' }));

export const maximise = (section: string): void => useMaximised.setState({ section });

/** Maximises the section with the focus, else the one under the pointer, else the first on screen; or restores all. */
export function toggleMaximised(): void {
  if (useMaximised.getState().section) {
    maximise('');
    return;
  }
  const sections = [...document.querySelectorAll<HTMLElement>('section.section')];
  const chosen =
    sections.find((section) => section.contains(document.activeElement)) ??
    sections.find((section) => section.matches(':hover')) ??
    sections.find((section) => section.getBoundingClientRect().bottom > window.innerHeight / 3);
  if (!chosen) return;
  maximise(chosen.id);
  window.scrollTo({ top: 0 });
}
