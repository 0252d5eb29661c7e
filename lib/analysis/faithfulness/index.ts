export * from './classRemoval';
export {
  type Curves,
  type CurvesByOrder,
  type FaithfulnessRequest,
  faithfulness,
  faithfulnessBudget,
  faithfulnessSteps,
  WATCHED,
  type Watched,
} from './faithfulness';
export { ORDERS, type Order } from './orders';
export { type OrderSummary, summariseFaithfulness } from './summary';
