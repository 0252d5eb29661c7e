import type { View } from '../data/view';

/** Runs of a view, each once. */
const runsOf = ({ models }: View) => [...new Map(models.map(({ run }) => [run.id, run])).values()];

const named = (view: View) => {
  const runs = runsOf(view).map(({ id }) => id);
  return `${runs.length > 1 ? 'runs' : 'run'} ${runs.join(' and ')}`;
};

export const titleOf = (view: View): string => `Statescope, ${named(view)}`;

/** What files of a view are called, without what tells them apart. */
export const fileName = (view: View): string => ['statescope', ...runsOf(view).map(({ id }) => id)].join('-');

/** What an exported figure says about its making: run, time, models, layer, prompt and target. */
export function noteOf(view: View): string {
  const { models, layer, stale } = view;
  const runs = runsOf(view);
  const of = (id: string) => models.filter(({ run }) => run.id === id);
  const told = runs.map(({ id, timing, request, device }) => {
    const time = new Date(timing.createdAt).toISOString().slice(0, 16).replace('T', ' ');
    const names = of(id)
      .map(({ slot, name }) => `${slot}: ${name}`)
      .join(', ');
    const asked = `Prompt: “${request.prompt.trim().replaceAll(/\s+/g, ' ')}”, target “${request.target.trim()}”.`;
    const rounded = device?.weights === 'bf16' ? ', weights in bf16' : '';
    return `run ${id}, ${time} UTC${rounded}${stale ? ' (inputs changed since)' : ''}. ${names}. ${asked}`;
  });
  return `Statescope, layer ${layer}, ${told.join(' And ')}`;
}
