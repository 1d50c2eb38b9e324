/* Adds rows of 8-bit weights in registers, as each core does it best. */
#ifndef SNN_ROWS_H
#define SNN_ROWS_H
#include "inline.h"

/* Sums of up to 16 weights of 8 bits, or 32 of 4 bits, in lanes of 16 bits, two neighbours in each word. */
typedef struct { uint32_t lanes[16]; } sums_t;
/* Sums of weights of 4 bits in lanes of 8 bits: of the low halves of the bytes of up to four words, and of the high ones. */
typedef struct { uint32_t low[4], high[4]; } byte_sums_t;
#define MOST_IN_BYTES 17 /* rows of 15 each, in 8 bits */

/* Each entry of a list is the number of a row of weights, which begin at `base` and are `pitch` bytes apart. Of every row
 * the first words are added, at most MOST_WORDS8 of 8-bit weights and MOST_WORDS4 of 4-bit ones; there may be MOST_ROWS8
 * and MOST_IN_BYTES rows. */
#if defined(__ARM_FEATURE_MVE)
#define MOST_WORDS8 4
#define MOST_ROWS8 0xFFFF /* lanes do not carry over */

INLINE void add_rows8(sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    uint16x8_t first = vdupq_n_u16(0), second = first;
    mve_pred16_t lanes = vctp16q(words == 1 ? 4 : 8);
    do {
        const uint8_t *row = (const uint8_t *)(base + *entry++ * pitch);
        first = vaddq_u16(first, vldrbq_z_u16(row, lanes));
        if (words > 2) second = vaddq_u16(second, vldrbq_u16(row + 8));
    } while (entry < end);
    static const uint16_t order[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    uint16x8_t places = vldrhq_u16(order);
    vstrhq_scatter_shifted_offset_u16((uint16_t *)sums->lanes, places, first);
    if (words > 2) vstrhq_scatter_shifted_offset_u16((uint16_t *)(sums->lanes + 4), places, second);
}

#define MOST_WORDS4 4

/* Of 4-bit weights whole sums, of each 17 rows in lanes of 8 bits first. */
INLINE void widened4(sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    static const uint32_t offsets[4] = {0, 16, 32, 48};
    uint16x8_t lanes[4] = {vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0)};
    mve_pred16_t some = vctp8q((uint32_t)(4 * words));
    while (entry < end) {
        const uint16_t *stop = end - entry > MOST_IN_BYTES ? entry + MOST_IN_BYTES : end;
        uint8x16_t low = vdupq_n_u8(0), high = low;
        do {
            uint8x16_t row = vldrbq_z_u8((const uint8_t *)(base + *entry++ * pitch), some);
            low = vaddq_u8(low, vandq_u8(row, vdupq_n_u8(15)));
            high = vaddq_u8(high, vshrq_n_u8(row, 4));
        } while (entry < stop);
        lanes[0] = vaddq_u16(lanes[0], vmovlbq_u8(low));
        lanes[1] = vaddq_u16(lanes[1], vmovltq_u8(low));
        lanes[2] = vaddq_u16(lanes[2], vmovlbq_u8(high));
        lanes[3] = vaddq_u16(lanes[3], vmovltq_u8(high));
    }
    for (int i = 0; i < 4; i++) vstrwq_scatter_offset_u32(sums->lanes + i, vld1q_u32(offsets), vreinterpretq_u32_u16(lanes[i]));
}

#elif defined(__arm__)

#if defined(__ARM_FEATURE_DSP)
#define MOST_WORDS8 3
#define MOST_ROWS8 0xFFFF
#define ADD8(even, odd, word) "uxtab16 " even ", " even ", " word "\n uxtab16 " odd ", " odd ", " word ", ror #8\n"
#elif __ARM_ARCH >= 7
#define MOST_WORDS8 3
#define MOST_ROWS8 256 /* bytes 1 to 3 of a word are added as they are, up to 2^32 */
#define ADD8(even, odd, word) "and r3, " word ", #0x00FF00FF\n add " even ", r3\n add " odd ", " odd ", " word ", lsr #8\n"
#else
#define MOST_WORDS8 2
#define MOST_ROWS8 256
#define ADD8(even, odd, word) "mov r6, %[mask]\n ands r6, " word "\n adds " even ", r6\n lsrs " word ", #8\n adds " odd ", " word "\n"
#endif

#if __ARM_ARCH >= 7
#define ANY "r"
#define LOW "r"
#define MASK8
#define USED "r0", "r1", "r2", "r3", "cc", "memory"
#define ROW "ldrh r2, [%[entry]], #2\n mla r2, r2, %[pitch], %[base]\n"
#define ADD4(low, high, word) "and r3, %[mask], " word "\n add " low ", r3\n and " word ", %[mask], " word ", lsr #4\n add " high ", " word "\n"
#define ONE(ADD) ROW "ldr r0, [r2]\n" ADD("%[a]", "%[b]", "r0")
#define TWO(ADD) ROW "ldrd r0, r1, [r2]\n" ADD("%[a]", "%[b]", "r0") ADD("%[c]", "%[d]", "r1")
#define THREE(ADD) ROW "ldmia r2, {r0, r1, r2}\n" ADD("%[a]", "%[b]", "r0") ADD("%[c]", "%[d]", "r1") ADD("%[e]", "%[f]", "r2")
/* Two rows a turn; of an odd number of them the first turn has one. */
#define ROWS(row) "sub r0, %[end], %[entry]\n tst r0, #2\n bne 2f\n 1:\n" row "2:\n" row "cmp %[entry], %[end]\n bne 1b\n"
#else
#define ANY "h"
#define LOW "l"
#define MASK8 , [mask] "h"(0xFF00FF)
#define USED "r4", "r5", "r6", "cc", "memory"
#define ROW "ldrh r4, [%[entry]]\n mov r5, %[pitch]\n muls r4, r5\n add r4, %[base]\n adds %[entry], #2\n"
#define ADD4(low, high, word)                                                             \
    "mov r6, %[mask]\n ands r6, " word "\n adds " low ", r6\n lsrs " word ", #4\n mov r6, %[mask]\n ands " word ", r6\n adds " high ", " word "\n"
#define ONE(ADD) ROW "ldr r4, [r4]\n" ADD("%[a]", "%[b]", "r4")
#define TWO(ADD) ROW "ldmia r4, {r4, r5}\n" ADD("%[a]", "%[b]", "r4") ADD("%[c]", "%[d]", "r5")
#define ROWS(row) ".syntax unified\n 1:\n" row "cmp %[entry], %[end]\n bne 1b\n"
#endif

INLINE void add_rows8(sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    uint32_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
#define GIVEN : [end] ANY(end), [base] ANY(base), [pitch] ANY(pitch)
    if (words == 1) __asm__ volatile(ROWS(ONE(ADD8)) : [a] "+" LOW(a), [b] "+" LOW(b), [entry] "+" LOW(entry) GIVEN MASK8 : USED);
    if (words == 2)
        __asm__ volatile(ROWS(TWO(ADD8))
                         : [a] "+" LOW(a), [b] "+" LOW(b), [c] "+" LOW(c), [d] "+" LOW(d), [entry] "+" LOW(entry) GIVEN MASK8 : USED);
#if MOST_WORDS8 == 3
    if (words == 3)
        __asm__ volatile(ROWS(THREE(ADD8))
                         : [a] "+" LOW(a), [b] "+" LOW(b), [c] "+" LOW(c), [d] "+" LOW(d), [e] "+" LOW(e), [f] "+" LOW(f),
                           [entry] "+" LOW(entry) GIVEN MASK8 : USED);
#endif
#if !defined(__ARM_FEATURE_DSP)
    b -= a >> 16 << 8;
    d -= c >> 16 << 8;
    f -= e >> 16 << 8;
#endif
    *sums = (sums_t){{a, b, c, d, e, f}};
}

#define MOST_WORDS4 2

INLINE void add_rows4(byte_sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (words == 1)
        __asm__ volatile(ROWS(ONE(ADD4))
                         : [a] "+" LOW(a), [b] "+" LOW(b), [entry] "+" LOW(entry) GIVEN, [mask] ANY(0x0F0F0F0F) : USED);
    else
        __asm__ volatile(ROWS(TWO(ADD4))
                         : [a] "+" LOW(a), [b] "+" LOW(b), [c] "+" LOW(c), [d] "+" LOW(d), [entry] "+" LOW(entry) GIVEN,
                           [mask] ANY(0x0F0F0F0F) : USED);
    *sums = (byte_sums_t){{a, c}, {b, d}};
}

#else
#define MOST_WORDS8 4
#define MOST_ROWS8 257 /* of 255 each, in 16 bits */

INLINE void add_rows8(sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    uint32_t even[4] = {0}, odd[4] = {0};
    do {
        const uint8_t *row = (const uint8_t *)(base + *entry++ * pitch);
#pragma GCC unroll 4
        for (int i = 0; i < words; i++) {
            uint32_t word = load(row + 4 * i);
            even[i] += word & 0xFF00FF;
            odd[i] += word >> 8 & 0xFF00FF;
        }
    } while (entry < end);
#pragma GCC unroll 4
    for (int i = 0; i < words; i++) sums->lanes[2 * i] = even[i], sums->lanes[2 * i + 1] = odd[i];
}

#define MOST_WORDS4 2

INLINE void add_rows4(byte_sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    uint32_t low[2] = {0}, high[2] = {0};
    do {
        const uint8_t *row = (const uint8_t *)(base + *entry++ * pitch);
#pragma GCC unroll 2
        for (int i = 0; i < words; i++) {
            uint32_t word = load(row + 4 * i);
            low[i] += word & 0x0F0F0F0F;
            high[i] += word >> 4 & 0x0F0F0F0F;
        }
    } while (entry < end);
    *sums = (byte_sums_t){{low[0], low[1]}, {high[0], high[1]}};
}
#endif
#endif
