import type { RunSummary } from '@/lib/api/schemas';
import { INITIAL_SELECTION } from './selection';
import { linkTo } from './url';

/** The view that a run was last left in, so that the list of runs opens it exactly there. */

const KEY = 'statescope.views';
/** Views that are remembered. */
const KEPT = 200;

type Views = Record<string, string>;

function readViews(): Views {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Views;
  } catch {
    return {};
  }
}

/** Remembers the query of the page for the run that it names. */
export function rememberView(search: string): void {
  const id = new URLSearchParams(search).get('run');
  if (!id) return;
  const { [id]: _replaced, ...others } = readViews();
  const entries = [...Object.entries(others), [id, search]].slice(-KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(entries)));
  } catch {
    // Storage that is full or forbidden only costs the remembered view.
  }
}

/** The page of a run as its request describes it. */
export function linkOfRequest({ id, request }: Pick<RunSummary, 'id' | 'request'>): string {
  const { models, prompt, continuation = null, target, target_id: targetId = null, needle = null, position } = request;
  const [modelA, modelB = ''] = models;
  const asked = { modelA, modelB, prompt, continuation, target, targetId, needle, position };
  return linkTo('/', { ...INITIAL_SELECTION, runId: id, ...asked });
}

/** The page of a run: as it was left in this browser, else as it was asked for. */
export const linkOf = (run: Pick<RunSummary, 'id' | 'request'>): string => {
  const left = readViews()[run.id];
  return left ? `/${left}` : linkOfRequest(run);
};

/** The page that shows two runs in one set of figures. */
export const compareLink = ([first, second]: readonly string[]): string =>
  `/compare?${new URLSearchParams({ first, second })}`;
