import type { Refusal } from '../prepared';

/** Errors of who asks: input that is wrong, or more than the device holds. */
const OF_WHO_ASKS = ['InputError', 'DeviceLimitError'];

/** How an error travels to the web server: bad input is 422, a refusal keeps its status, anything else is a fault of ours. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Error)) return { status: 500, message: String(error) };
  if (error.name === 'ServiceError') {
    const { status, message, hint } = error as Error & Refusal;
    return { status, message, hint };
  }
  if (OF_WHO_ASKS.includes(error.name)) return { status: 422, message: error.message };
  console.error(error);
  return { status: 500, message: `The computation failed: ${error.message}` };
}
