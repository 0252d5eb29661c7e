import type { LensRows } from '../state/selection';

/** Rows of one page of the lens grid. */
export const PAGE = 8;

export interface RowChoice {
  readonly value: LensRows;
  readonly label: string;
}

/** First and last position of a choice, inside the prompt. */
export function rowRange(
  rows: LensRows,
  count: number,
  position: number,
  needle: readonly [number, number] | undefined,
): readonly [number, number] {
  const last = count - 1;
  const from = (first: number): readonly [number, number] => {
    const start = Math.max(0, Math.min(first, count - PAGE));
    return [start, Math.min(last, start + PAGE - 1)];
  };
  if (rows === 'needle' && needle) {
    const length = needle[1] - needle[0] + 1;
    return from(needle[0] - Math.max(0, Math.floor((PAGE - length) / 2)));
  }
  if (rows === 'position') return from(position - Math.floor(PAGE / 2));
  const page = /^page-(\d+)$/.exec(rows);
  if (page) {
    const start = Math.min(Number(page[1]) * PAGE, Math.floor(last / PAGE) * PAGE);
    return [start, Math.min(last, start + PAGE - 1)];
  }
  return from(count - PAGE);
}

/** What the positions menu offers: the telling places first, then every page. */
export function rowChoices(
  count: number,
  position: number,
  needle: readonly [number, number] | undefined,
): { telling: RowChoice[]; pages: RowChoice[] } {
  const label = (rows: LensRows) => rowRange(rows, count, position, needle).join('–');
  const telling: RowChoice[] = [
    { value: 'last', label: `last, ${label('last')}` },
    { value: 'position', label: `read-out, ${label('position')}` },
  ];
  if (needle) telling.splice(1, 0, { value: 'needle', label: `needle, ${label('needle')}` });
  const pages = Array.from({ length: Math.ceil(count / PAGE) }, (_, page): RowChoice => {
    const value: LensRows = `page-${page}`;
    return { value, label: label(value) };
  });
  return { telling, pages };
}
