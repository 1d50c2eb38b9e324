/* What kernels.c and dense.c share. */
#ifndef SNN_INLINE_H
#define SNN_INLINE_H
#include "kernels.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif
#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

#define INLINE static inline __attribute__((always_inline))

/* Weight number `index` of packed weights; of 4 and 2 bits in the high bits of a byte. */
INLINE int32_t weight_at(const uint8_t *weights, uint32_t index, uint32_t bits) {
    if (bits == 8) return (int8_t)weights[index];
    uint32_t position = index * bits;
    return (int8_t)((uint32_t)weights[position >> 3] << (8 - bits - (position & 7)) & (0xFFu << (8 - bits)));
}

INLINE int32_t scaled(int32_t value, snn_ratio_t ratio) {
    return (int32_t)(((int64_t)value * ratio.mul + (1 << (ratio.shift - 1))) >> ratio.shift);
}

/* A value of a map in steps of the neuron that reads it; both terms have 30 bits. */
INLINE int32_t charged(int32_t value, const snn_ratio_t *ratio, const int32_t *bias, uint32_t c) {
    int32_t shift = ratio[c].shift;
    return (value * ratio[c].mul + (bias ? bias[c] : 1 << (shift - 1))) >> shift;
}

INLINE int32_t clipped(int32_t value, int32_t most) { return value < 0 ? 0 : value > most ? most : value; }

INLINE uint32_t load(const void *from) {
    uint32_t word;
    __builtin_memcpy(&word, from, 4);
    return word;
}
#endif
