export * from './classRemoval';
export {
  type BothCurves,
  type Curves,
  type CurvesByOrder,
  type FaithfulnessRequest,
  faithfulness,
  faithfulnessBudget,
  faithfulnessSteps,
} from './faithfulness';
export { ORDERS, type Order } from './orders';
export { type CurveSummary, type OrderSummary, summariseFaithfulness } from './summary';
