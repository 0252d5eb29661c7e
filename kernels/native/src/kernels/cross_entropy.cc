// Mean of -log softmax(logits)[label] over the rows whose label is not negative:
// crossEntropy(logits, labels, loss, logSumExp, rows, V): loss [1], logSumExp [rows]
// crossEntropyGrad(logits, labels, logSumExp, dy, dlogits, rows, V): (softmax - onehot) dy / count
//
// Floor: one exponential (about 20 instructions per vector) and 4 bytes read per logit, 4 more written backward. The
// softmax itself is never stored.
#include "../core/kernel.h"

KERNELS_BEGIN

long labelled(const int32_t* labels, long rows) {
  long count = 0;
  for (long m = 0; m < rows; m++) count += labels[m] >= 0;
  return maximum(count, 1);
}

KERNEL(crossEntropy) {
  const float* logits = args.floats(0);
  const int32_t* labels = args.ints(1);
  float *loss = args.floats(2), *logSumExp = args.floats(3);
  const long rows = args.integer(0), V = args.integer(1);
  parallelRanges(rows, maximum(1, 8192 / V), [&](long begin, long end) {
    for (long m = begin; m < end; m++) {
      const float* row = logits + m * V;
      vf largest = splat(-__builtin_inff());
      long v = 0;
      for (; v + LANES <= V; v += LANES) largest = vmaxNan(largest, load(row + v));
      float max = maxLanes(largest);
      for (; v < V; v++) max = max != max || max > row[v] ? max : row[v];
      vf sum = vf{};
      for (v = 0; v + LANES <= V; v += LANES) sum += vexp(load(row + v) - splat(max));
      if (v < V) {
        vf tail = splat(-__builtin_inff());
        for (long lane = 0; lane < V - v; lane++) tail[lane] = row[v + lane] - max;
        sum += vexp(tail);
      }
      logSumExp[m] = max + __builtin_logf(sumLanes(sum));
    }
  });
  double total = 0;
  for (long m = 0; m < rows; m++)
    if (labels[m] >= 0) total += static_cast<double>(logSumExp[m]) - static_cast<double>(logits[m * V + labels[m]]);
  loss[0] = static_cast<float>(total / static_cast<double>(labelled(labels, rows)));
}

KERNEL(crossEntropyGrad) {
  const float* logits = args.floats(0);
  const int32_t* labels = args.ints(1);
  const float *logSumExp = args.floats(2), *dy = args.floats(3);
  float* dlogits = args.floats(4);
  const long rows = args.integer(0), V = args.integer(1);
  const float scale = dy[0] / static_cast<float>(labelled(labels, rows));
  parallelRanges(rows, maximum(1, 8192 / V), [&](long begin, long end) {
    for (long m = begin; m < end; m++) {
      const float* row = logits + m * V;
      float* out = dlogits + m * V;
      if (labels[m] < 0) {
        __builtin_memset(out, 0, V * sizeof(float));
        continue;
      }
      for (long v = 0; v < V; v += LANES)
        storePart(out + v, vexp(loadPart(row + v, V - v) - splat(logSumExp[m])) * splat(scale), V - v);
      out[labels[m]] -= scale;
    }
  });
}

KERNELS_END
