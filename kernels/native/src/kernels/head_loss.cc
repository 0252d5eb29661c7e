// The terms of a loss over the logits x Wᵀ of a linear head, and the gradients of x and W, a few rows at a time, so that logits and
// their gradient stay in the cache and are never held as a whole:
// headLoss(x, W, labels, weights, loss, means, dx, dW, rows, V, d): x [rows,d], W [V,d], labels [terms,rows], weights [terms], and as
//   of crossEntropyTerms loss [1] and means [terms]. Rows that no term labels cost nothing, and their dx is 0.
//
// dW is summed over the rows of each task, and these sums in order, so that the result does not depend on the number of threads.
// Floor: three matrix products.
#include "../core/kernel.h"
#include "loss_row.inc"
#include "matmul.inc"
#include "panels.inc"
#include "partial_sums.inc"

KERNELS_BEGIN

// Slots that products do not use.
enum : int { kHeadPanels = 6, kHeadSums = 7, kHeadRows = 8, kHeadTerms = 9, kHeadChosen = 10 };

// Tasks: enough for some threads, few enough to sum. Rows at a time: their logits fit the second-level cache.
enum : long { HEAD_TASKS = 8, HEAD_ROWS = 128 };

struct Head {
  const float *x, *W;
  float *dx, *sums;
  long V, d;
  Panels forward, backward; // of x Wᵀ and of dlogits W
  const float* panels;

  void add(const long* chosen, long count, bool first, const Terms& terms, float* dW) const {
    float* rows = workspace(kHeadRows, count * (2 * d + V));
    float *drows = rows + count * d, *logits = drows + count * d;
    for (long i = 0; i < count; i++) __builtin_memcpy(rows + i * d, x + chosen[i] * d, d * sizeof(float));
    forward.multiply(rows, count, panels, logits);
    for (long i = 0; i < count; i++) terms.follow(chosen[i], logits + i * V, logits + i * V, V);
    backward.multiply(logits, count, panels + forward.size(), drows);
    for (long i = 0; i < count; i++) __builtin_memcpy(dx + chosen[i] * d, drows + i * d, d * sizeof(float));
    multiplyOuter(logits, V, rows, d, count, dW, !first);
  }
};

KERNEL(headLoss) {
  const long rows = args.integer(0), V = args.integer(1), d = args.integer(2), count = static_cast<long>(args.lengths[3]);
  const Terms terms(args.ints(2), args.floats(3), count, rows, workspace(kHeadTerms, Terms::floats(count, rows)));
  float *dx = args.floats(6), *dW = args.floats(7);
  long* chosen = reinterpret_cast<long*>(workspace(kHeadChosen, 2 * rows));
  long counted = 0;
  for (long m = 0; m < rows; m++) {
    if (terms.counts(m)) chosen[counted++] = m;
    else __builtin_memset(dx + m * d, 0, d * sizeof(float));
  }
  const float* W = args.floats(1);
  const long tasks = minimum(HEAD_TASKS, ceilDiv(counted, HEAD_ROWS));
  const Panels forward{W, V, d, 1, d}, backward{W, d, V, d, 1};
  float *panels = workspace(kHeadPanels, forward.size() + backward.size()), *sums = workspace(kHeadSums, tasks * V * d);
  forward.pack(panels);
  backward.pack(panels + forward.size());
  const Head head{args.floats(0), W, dx, sums, V, d, forward, backward, panels};
  parallelFor(tasks, [&](long task) {
    const long begin = counted * task / tasks, end = counted * (task + 1) / tasks, blocks = ceilDiv(end - begin, HEAD_ROWS);
    for (long block = 0; block < blocks; block++) {
      const long from = begin + (end - begin) * block / blocks, to = begin + (end - begin) * (block + 1) / blocks;
      head.add(chosen + from, to - from, block == 0, terms, sums + task * V * d);
    }
  });
  sumParts(dW, sums, tasks, V * d, V * d);
  terms.total(args.floats(5), args.floats(4));
}

KERNELS_END
