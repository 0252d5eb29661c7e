import { composedBlockKernels } from '../composed/block-attention';
import type { KernelName } from '../ops/registry';
import { causalConv1d, causalConv1dGrad } from './causal-conv1d';
import { crossEntropy, crossEntropyGrad } from './cross-entropy';
import type { ComposedKernel } from './kernel';
import { rmsNorm, rmsNormGrad } from './rms-norm';
import { s6Attention } from './s6-attention';
import { selectiveScan } from './selective-scan';
import { selectiveScanGrad } from './selective-scan-grad';
import { silu, siluGrad } from './silu';
import { ssdAttention } from './ssd-attention';
import { ssdScan } from './ssd-scan';
import { ssdScanGrad } from './ssd-scan-grad';

/** Every kernel of ours in operations of tfjs: nothing in them is particular to TensorFlow. */
export const composedKernels: Readonly<Record<KernelName, ComposedKernel>> = {
  SelectiveScan: selectiveScan,
  SelectiveScanGrad: selectiveScanGrad,
  SsdScan: ssdScan,
  SsdScanGrad: ssdScanGrad,
  CausalConv1d: causalConv1d,
  CausalConv1dGrad: causalConv1dGrad,
  RmsNorm: rmsNorm,
  RmsNormGrad: rmsNormGrad,
  Silu: silu,
  SiluGrad: siluGrad,
  CrossEntropy: crossEntropy,
  CrossEntropyGrad: crossEntropyGrad,
  S6Attention: s6Attention,
  SsdAttention: ssdAttention,
  ...composedBlockKernels,
};
