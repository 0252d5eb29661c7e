import { babilongEvaluation } from './babilong';
import { costEvaluation } from './cost';
import type { Evaluation } from './evaluation';
import { lmEvaluation } from './lm';
import { recallEvaluation } from './recall';
import { madEvaluation, mqarEvaluation } from './suites';

type Made = (settings: unknown) => Promise<Evaluation>;

/** Every evaluation by name: what its settings make. */
export const EVALUATIONS = {
  babilong: babilongEvaluation as Made,
  lm: lmEvaluation as Made,
  mqar: mqarEvaluation as Made,
  mad: madEvaluation as Made,
  recall: recallEvaluation as Made,
  cost: (async (settings) => costEvaluation(settings)) as Made,
} as const;

export type EvaluationName = keyof typeof EVALUATIONS;
export const EVALUATION_NAMES = Object.keys(EVALUATIONS) as EvaluationName[];
