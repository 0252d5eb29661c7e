import { type KernelCall, kernels } from '../addon';
import type { KernelInputs, Override, Overrides } from '../override';
import { allocateLike, allocateShapes, gradientOutputs, optionalFloats, scanShapes } from './operands';

/** What one kind of scan has of its own. */
interface Scan {
  /** Its operands, in the order of the C++ files. */
  readonly operands: readonly string[];
  /** Sizes and settings as the C++ files take them. */
  sizes(call: KernelInputs): number[];
  stateShape(inputs: KernelInputs['inputs']): number[];
}

const selective: Scan = {
  operands: ['x', 'delta', 'A', 'B', 'C', 'D', 'z', 'state'],
  /** [batch, L, E, N, softplus] */
  sizes: ({ inputs: { x, A }, attrs }) => [...x.shape, A.shape[1], attrs.softplus ? 1 : 0],
  stateShape: ({ x, A }) => [x.shape[0], ...A.shape],
};

const ssd: Scan = {
  operands: ['x', 'delta', 'A', 'B', 'C', 'D', 'state'],
  /** [batch, L, H, P, G, N, rowX, rowB] */
  sizes({ inputs: { x, B } }) {
    const [, , H, P] = x.shape;
    const [, , G, N] = B.shape;
    return [...x.shape, G, N, H * P, G * N];
  },
  stateShape({ x, B }) {
    const [batch, , H, P] = x.shape;
    return [batch, H, P, B.shape[3]];
  },
};

const forward =
  ({ operands, sizes, stateShape }: Scan, kernel: KernelCall): Override =>
  (call) => {
    const { backend, inputs, attrs } = call;
    const shapes = scanShapes(inputs.x.shape, stateShape(inputs), attrs);
    const outputs = allocateShapes(backend, shapes);
    kernel(
      ...operands.map((name) => optionalFloats(backend, inputs[name])),
      outputs[0],
      outputs[1] ?? null,
      ...sizes(call),
    );
    return outputs.map((values, i) => backend.output(shapes[i], values));
  };

const backward =
  ({ operands, sizes }: Scan, kernel: KernelCall): Override =>
  (call) => {
    const { backend, inputs } = call;
    const wanted = operands.map((name) => inputs[name]);
    const gradients = allocateLike(backend, ...wanted);
    kernel(
      ...wanted.map((tensor) => optionalFloats(backend, tensor)),
      backend.floats(inputs.dy),
      optionalFloats(backend, inputs.dState),
      ...gradients,
      ...sizes(call),
    );
    return gradientOutputs(backend, wanted, gradients);
  };

/** The scans of `kernels/ops`; inputs were checked there. */
export const scans: Overrides = {
  SelectiveScan: forward(selective, kernels.selectiveScan),
  SelectiveScanGrad: backward(selective, kernels.selectiveScanGrad),
  SsdScan: forward(ssd, kernels.ssdScan),
  SsdScanGrad: backward(ssd, kernels.ssdScanGrad),
};
