// Implicit attention of the SSD recurrence, reduced over heads, for targets i and sources j <= i, g the head's group:
//   α_h[i,j] = Δ_j[h] (C_i[g].B_j[g]) exp(A_h Σ_{k=j+1..i} Δ_k[h])
// ssdAttention(delta, A, B, C, map, L, H, G, N, reduction, head): reduction 0 mean, 1 mean of magnitudes, 2 one head.
// delta [L,H]; A [H]; B, C [L,G,N]; map [L,L], zero above the diagonal.
//
// Floor: one exponential (12 instructions) for each head and vector of the triangle, H L²/2 in all, and G N L²
// multiply-adds. Lanes are sources. Sums of Δ are kept in two floats, so that differences of far positions stay right.
#include "../core/kernel.h"
#include "ssd.inc"

KERNELS_BEGIN

KERNEL(ssdAttention) {
  const float *delta = args.floats(0), *A = args.floats(1), *B = args.floats(2), *C = args.floats(3);
  float* map = args.floats(4);
  const long L = args.integer(0), H = args.integer(1), G = args.integer(2), N = args.integer(3);
  const long reduction = args.integer(4), first = reduction == 2 ? args.integer(5) : 0;
  const long last = reduction == 2 ? first : H - 1, width = padded(L), heads = last - first + 1;
  float* memory = workspace(0, (3 * heads + G * N) * width);
  float *steps = memory, *high = steps + heads * width, *low = high + heads * width, *turned = low + heads * width;
  parallelFor(heads, [&](long k) {
    const long h = first + k;
    double sum = 0;
    for (long i = 0; i < width; i++) {
      const float step = i < L ? delta[i * H + h] : 0;
      sum += static_cast<double>(step) * static_cast<double>(A[h]) * 1.4426950408889634;
      steps[k * width + i] = step;
      high[k * width + i] = static_cast<float>(sum);
      low[k * width + i] = static_cast<float>(sum - static_cast<double>(high[k * width + i]));
    }
  });
  for (long g = 0; g < G; g++) transposeInto(turned + g * N * width, width, B + g * N, G * N, L, N);
  const vi lanes = laneNumbers();
  const vf scale = splat(1.f / static_cast<float>(heads));
  parallelFor(ceilDiv(L, TILE_ROWS), [&](long block) {
    const long i0 = block * TILE_ROWS, rows = minimum(TILE_ROWS, L - i0), columns = padded(i0 + rows);
    float* dots = workspace(1, TILE_ROWS * width);
    for (long i = i0; i < i0 + rows; i++) clear(map + i * L, L);
    for (long g = first / (H / G); g <= last / (H / G); g++) {
      product(rows, columns, N, Factor{C + (i0 * G + g) * N, G * N, 1}, turned + g * N * width, width, dots, width,
              false);
      for (long i = i0; i < i0 + rows; i++)
        for (long j = 0; j <= i; j += LANES) {
          const vf products = load(dots + (i - i0) * width + j);
          vf sum = vf{};
          for (long k = maximum(0, g * (H / G) - first); k < heads && (first + k) / (H / G) == g; k++) {
            const long at = k * width;
            const vf decay = vexp2NonPositive((splat(high[at + i]) - load(high + at + j)) +
                                              (splat(low[at + i]) - load(low + at + j)));
            const vf alpha = products * decay * load(steps + at + j);
            sum += reduction == 1 ? vabs(alpha) : alpha;
          }
          const vf masked = select(lanes <= static_cast<int32_t>(i - j), sum * scale, vf{});
          storePart(map + i * L + j, loadPart(map + i * L + j, L - j) + masked, L - j);
        }
    }
  });
}

KERNELS_END
