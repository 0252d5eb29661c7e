// Mean of -log softmax(logits)[label] over the rows whose label is not negative:
// crossEntropy(logits, labels, loss, logSumExp, rows, V): loss [1], logSumExp [rows]
// crossEntropyGrad(logits, labels, logSumExp, dy, dlogits, rows, V): (softmax - onehot) dy / count
// crossEntropyTerms(logits, labels, weights, loss, means, dlogits, rows, V): of labels [terms,rows] the mean of each term as means
//   [terms], loss = Σ weight · mean [1] and its gradient, in one pass
//
// Floor: one exponential (about 20 instructions per vector) and 4 bytes read per logit, 4 more written for the gradient. The
// softmax itself is never stored.
#include "../core/kernel.h"

KERNELS_BEGIN

long labelled(const int32_t* labels, long rows) {
  long count = 0;
  for (long m = 0; m < rows; m++) count += labels[m] >= 0;
  return maximum(count, 1);
}

float largestOf(const float* row, long V) {
  vf largest = splat(-__builtin_inff());
  long v = 0;
  for (; v + LANES <= V; v += LANES) largest = vmaxNan(largest, load(row + v));
  float max = maxLanes(largest);
  for (; v < V; v++) max = max != max || max > row[v] ? max : row[v];
  return max;
}

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

// Terms of a loss over the same logits.
struct Terms {
  const int32_t* labels;
  const float* weights;
  long count, rows;

  // What the row's gradient has of a term, where it is labelled.
  float scale(long term) const { return weights[term] / static_cast<float>(labelled(labels + term * rows, rows)); }
};

KERNEL(crossEntropyTerms) {
  const float* logits = args.floats(0);
  const Terms terms{args.ints(1), args.floats(2), static_cast<long>(args.lengths[2]), args.integer(0)};
  float *loss = args.floats(3), *means = args.floats(4), *dlogits = args.floats(5);
  const long rows = terms.rows, V = args.integer(1), count = terms.count;
  double* losses = reinterpret_cast<double*>(workspace(0, 2 * count * rows));
  float* scales = workspace(1, count);
  for (long term = 0; term < count; term++) scales[term] = terms.scale(term);
  parallelRanges(rows, maximum(1, 8192 / V), [&](long begin, long end) {
    for (long m = begin; m < end; m++) {
      const float* row = logits + m * V;
      float *out = dlogits + m * V, whole = 0;
      bool any = false;
      for (long term = 0; term < count; term++)
        if (terms.labels[term * rows + m] >= 0) {
          whole += scales[term];
          any = true;
        }
      if (!any) {
        __builtin_memset(out, 0, V * sizeof(float));
        continue;
      }
      const float max = largestOf(row, V);
      vf sum = vf{};
      for (long v = 0; v < V; v += LANES) {
        const long lanes = V - v;
        const vf power = vexp(loadPart(row + v, lanes) - splat(max));
        storePart(out + v, power, lanes);
        sum += lanes < LANES ? loadPart(out + v, lanes) : power;
      }
      const float total = sumLanes(sum), logSumExp = max + __builtin_logf(total);
      const vf factor = splat(whole / total);
      for (long v = 0; v < V; v += LANES) storePart(out + v, loadPart(out + v, V - v) * factor, V - v);
      for (long term = 0; term < count; term++) {
        const long label = terms.labels[term * rows + m];
        if (label < 0) continue;
        losses[term * rows + m] = static_cast<double>(logSumExp) - static_cast<double>(row[label]);
        out[label] -= scales[term];
      }
    }
  });
  double weighed = 0;
  for (long term = 0; term < count; term++) {
    const int32_t* labels = terms.labels + term * rows;
    double total = 0;
    for (long m = 0; m < rows; m++)
      if (labels[m] >= 0) total += losses[term * rows + m];
    total /= static_cast<double>(labelled(labels, rows));
    means[term] = static_cast<float>(total);
    weighed += static_cast<double>(terms.weights[term]) * total;
  }
  loss[0] = static_cast<float>(weighed);
}

KERNELS_END
