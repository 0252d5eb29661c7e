// Mean of -log softmax(logits)[label] over the rows whose label is not negative:
// crossEntropy(logits, labels, loss, logSumExp, rows, V): loss [1], logSumExp [rows]
// crossEntropyGrad(logits, labels, logSumExp, dy, dlogits, rows, V): (softmax - onehot) dy / count
// crossEntropyTerms(logits, labels, weights, loss, means, dlogits, rows, V): of labels [terms,rows] the mean of each term as means
//   [terms], loss = Σ weight · mean [1] and its gradient, in one pass
//
// Floor: one exponential (about 20 instructions per vector) and 4 bytes read per logit, 4 more written for the gradient. The
// softmax itself is never stored.
#include "../core/kernel.h"
#include "loss_row.inc"

KERNELS_BEGIN

KERNEL(crossEntropy) {
  const float* logits = args.floats(0);
  const int32_t* labels = args.ints(1);
  float *loss = args.floats(2), *logSumExp = args.floats(3);
  const long rows = args.integer(0), V = args.integer(1);
  parallelRanges(rows, maximum(1, 8192 / V), [&](long begin, long end) {
    for (long m = begin; m < end; m++) {
      const float* row = logits + m * V;
      const float max = largestOf(row, V);
      vf sum = vf{};
      long v = 0;
      for (; v + LANES <= V; v += LANES) sum += vexp(load(row + v) - splat(max));
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

KERNEL(crossEntropyTerms) {
  const float* logits = args.floats(0);
  const long rows = args.integer(0), V = args.integer(1), count = static_cast<long>(args.lengths[2]);
  const Terms terms(args.ints(1), args.floats(2), count, rows, workspace(0, Terms::floats(count, rows)));
  float* dlogits = args.floats(5);
  parallelRanges(rows, maximum(1, 8192 / V), [&](long begin, long end) {
    for (long m = begin; m < end; m++) {
      if (terms.counts(m)) terms.follow(m, logits + m * V, dlogits + m * V, V);
      else __builtin_memset(dlogits + m * V, 0, V * sizeof(float));
    }
  });
  terms.total(args.floats(4), args.floats(3));
}

KERNELS_END
