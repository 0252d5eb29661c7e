import * as tf from '@tensorflow/tfjs';
import { requireRank, requireShape } from './validate';

/** Name under which a device may register a kernel that keeps no product. */
const KERNEL = 'ColumnNorms';

/** One term of the sum whose columns are measured. */
export interface ProductTensors {
  /** [d,E] */
  readonly weight: tf.Tensor2D;
  /** [E,rows,count] */
  readonly columns: tf.Tensor3D;
}

/**
 * ‖Σ_m W_m P_m[:,r,c]‖₂ for one or two products: [rows,count]. A device with a kernel for it never holds the product
 * [d,rows,count]; the others do. Rows with which a channel ends in zeros are left out of the products. No gradient.
 * Cost: 2·d·E·rows·count operations a product.
 *
 * @throws OperandError where shapes do not fit.
 */
export function columnNorms(first: ProductTensors, second?: ProductTensors): tf.Tensor2D {
  const op = 'columnNorms';
  const [d] = requireRank(op, 'weight', first.weight, 'd,E');
  const [, rows, count] = requireRank(op, 'columns', first.columns, 'E,rows,count');
  for (const { weight, columns } of second ? [first, second] : [first]) {
    const [E] = requireRank(op, 'columns', columns, 'E,rows,count');
    requireShape(op, 'weight', weight, 'd,E', [d, E]);
    requireShape(op, 'columns', columns, 'E,rows,count', [E, rows, count]);
  }
  if (!tf.getKernel(KERNEL, tf.getBackend())) return composed(first, second);
  const inputs = { W1: first.weight, P1: first.columns, ...(second && { W2: second.weight, P2: second.columns }) };
  return tf.engine().runKernel(KERNEL, inputs) as tf.Tensor2D;
}

function composed(first: ProductTensors, second?: ProductTensors): tf.Tensor2D {
  return tf.tidy(() => {
    const [, rows, count] = first.columns.shape;
    const product = ({ weight, columns }: ProductTensors) =>
      tf.matMul(weight, columns.reshape([columns.shape[0], rows * count]));
    const sum = second ? product(first).add(product(second)) : product(first);
    return tf.sqrt(tf.sum(tf.square(sum), 0)).reshape([rows, count]) as tf.Tensor2D;
  });
}
