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

typedef uint32_t __attribute__((may_alias)) word_t;

/* What is in four bytes that begin at a multiple of 4. */
INLINE uint32_t load(const void *from) { return *(const word_t *)from; }

/* Keeps a compiler from taking a loop for a function of libc, which may do less at a time. */
#define HERE __asm__ volatile("" ::: "memory")

INLINE void zero_words(void *to, uint32_t count) {
    word_t *word = to;
    for (; count > 3; count -= 4, word += 4) {
        word[0] = word[1] = word[2] = word[3] = 0;
        HERE;
    }
    for (; count; count--, word++) {
        *word = 0;
        HERE;
    }
}

/* Weight number `index` of packed weights; of 4 and 2 bits in the high bits of a byte. */
INLINE int32_t weight_at(const uint8_t *weights, uint32_t index, uint32_t bits) {
    if (bits == 8) return (int8_t)weights[index];
    uint32_t position = index * bits;
    return (int8_t)((uint32_t)weights[position >> 3] << (8 - bits - (position & 7)) & (0xFFu << (8 - bits)));
}

/* A sum times a ratio, rounded to the nearest; shifts are 1 to 31, and what is found has 32 bits. */
INLINE int32_t scaled(int32_t value, snn_ratio_t ratio) {
    uint64_t product = (uint64_t)((int64_t)value * ratio.mul) + (1u << (ratio.shift - 1));
    return (int32_t)((uint32_t)product >> ratio.shift | (uint32_t)(product >> 32) << (32 - ratio.shift));
}

/* What rounds a value times a ratio to the nearest. */
INLINE int32_t half_of(snn_ratio_t ratio) { return (1 << ratio.shift) >> 1; }

/* A value of a map in steps of the neuron that reads it; `added` is its bias and the half that rounds; both terms have 30 bits. */
INLINE int32_t charged(int32_t value, snn_ratio_t ratio, int32_t added) {
#if defined(__ARM_FEATURE_DSP)
    uint32_t word = load(&ratio);
    value = __smlabt(value, (int32_t)word, added);
    __asm__("asr %0, %0, %1" : "+r"(value) : "r"(word)); /* by its lowest byte */
    return value;
#else
    return (value * ratio.mul + added) >> ratio.shift;
#endif
}

#if defined(__ARM_FEATURE_MVE)
/* The same of up to four values; without biases 0 is given. */
INLINE int32x4_t charged_lanes(const snn_map_t *source, const snn_ratio_t *ratio, const int32_t *bias, mve_pred16_t some) {
    int32x4_t own = vldrwq_z_s32((const int32_t *)(const void *)ratio, some), shift = vmovlbq_s16(vreinterpretq_s16_s32(own));
    int32x4_t added = bias ? vldrwq_z_s32(bias, some) : vshrq_n_s32(vshlq_s32(vdupq_n_s32(1), shift), 1);
    return vshlq_s32(vaddq_s32(vmulq_s32(vldrhq_z_s32(source, some), vshrq_n_s32(own, 16)), added), vnegq_s32(shift));
}
#endif

INLINE int32_t clipped(int32_t value, int32_t most) { return value < 0 ? 0 : value > most ? most : value; }

#endif
