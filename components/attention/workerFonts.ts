import { faces, familyAndFile } from '../export/fonts';

/** A font face as the browser worker loads it: workers know none of the page's styles. */
export interface WorkerFont {
  readonly family: string;
  readonly file: string;
  readonly weight: string;
  readonly range: string;
}

const unquoted = (family: string) => family.replaceAll(/["']/g, '');

/** The faces that the page has loaded, so that the worker finds their files in the browser's cache. */
export function loadedFonts(): WorkerFont[] {
  const key = (family: string, weight: string, range: string) =>
    [family, weight, range.replaceAll(' ', '')].join('|').toLowerCase();
  const loaded = new Set(
    [...document.fonts]
      .filter(({ status }) => status === 'loaded')
      .map(({ family, weight, unicodeRange }) => key(unquoted(family), weight, unicodeRange)),
  );
  return [...faces()].flatMap(({ rule, base }) => {
    const { family, file } = familyAndFile(rule, base);
    const weight = rule.style.getPropertyValue('font-weight') || 'normal';
    const range = rule.style.getPropertyValue('unicode-range');
    return file && loaded.has(key(family, weight, range)) ? [{ family, file, weight, range }] : [];
  });
}
