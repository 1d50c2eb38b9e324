/* Convolutions of spikes. Each output gathers the weights of the spikes around it in registers; no product is formed.
 *
 * For a row of outputs and a plane of spikes, the spikes around it are listed column by column, each as the number of the
 * row of weights that it adds there, so that the spikes around one output are one run of the list. Weights are unsigned,
 * 2^(bits - 1) more than they stand for: what is too much is the same for each spike, and is taken off once. Sums are in
 * lanes of 16 bits, of two neighbours each, in which no overflow matters but that of the end.
 */
#include "rows.h"

#if defined(__ARM_FEATURE_CLZ) || !(defined(__arm__) || defined(__riscv))
INLINE uint32_t lowest(uint32_t byte) { return (uint32_t)__builtin_ctz(byte); }
#else
/* Number of the lowest bit that is set, of 8. */
INLINE uint32_t lowest(uint32_t byte) {
    static const uint8_t of_four[16] = {4, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0};
    return byte & 15 ? of_four[byte & 15] : 4 + (uint32_t)of_four[byte >> 4];
}
#endif

/* Lists the spikes around row y of the outputs, from column x on, until the list is full; returns the column behind them.
 * The list begins with the places at which the columns begin. */
INLINE int listed(const snn_conv_t *layer, int y, uint32_t plane, int x) {
    int kernel = layer->kernel, half = kernel / 2, width = layer->width;
    int top = y < half ? 0 : y - half, bottom = y + half < layer->height ? y + half + 1 : layer->height;
    uint32_t run = (uint32_t)(layer->in + 7) >> 3, pitch = run * layer->planes, area = (uint32_t)(kernel * kernel);
    uint16_t *begins = layer->list, *entry = begins + width + 1;
    const uint16_t *full = begins + layer->room - kernel * layer->in;
    for (; x < width && entry <= full; x++) {
        const uint8_t *bytes = layer->spikes + (uint32_t)(top * width + x) * pitch + plane * run;
        uint32_t first = (uint32_t)((y + half - top) * kernel + width - x);
        begins[x] = (uint16_t)(entry - begins);
        for (int row = top; row < bottom; row++, bytes += (uint32_t)width * pitch, first -= (uint32_t)kernel) {
            uint32_t number = first;
            for (uint32_t i = 0; i < run; i++, number += 8 * area)
                for (uint32_t byte = bytes[i]; byte; byte &= byte - 1) *entry++ = (uint16_t)(number + lowest(byte) * area);
        }
    }
    begins[x] = (uint16_t)(entry - begins);
    return x;
}

#define MOST_ROWS4 4369 /* of 15 each, in 16 bits; more of 2-bit weights */
#define MOST_WORDS2 2

#if !defined(__ARM_FEATURE_MVE)
/* Sums of 4-bit weights, of each 17 rows in lanes of 8 bits first. */
INLINE void widened4(sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    for (int i = 0; i < 4 * words; i++) sums->lanes[i] = 0;
    while (entry < end) {
        const uint16_t *stop = end - entry > MOST_IN_BYTES ? entry + MOST_IN_BYTES : end;
        byte_sums_t some;
        add_rows4(&some, entry, stop, base, pitch, words);
        for (int i = 0; i < words; i++) {
            uint32_t *lanes = sums->lanes + 4 * i;
            lanes[0] += some.low[i] & 0xFF00FF;
            lanes[1] += some.low[i] >> 8 & 0xFF00FF;
            lanes[2] += some.high[i] & 0xFF00FF;
            lanes[3] += some.high[i] >> 8 & 0xFF00FF;
        }
        entry = stop;
    }
}
#endif

/* The same of 2-bit weights, of each five rows in lanes of 4 bits first. */
INLINE void widened2(sums_t *sums, const uint16_t *entry, const uint16_t *end, uintptr_t base, uint32_t pitch, int words) {
    for (int i = 0; i < 8 * words; i++) sums->lanes[i] = 0;
    while (entry < end) {
        const uint16_t *stop = end - entry > 5 ? entry + 5 : end;
        uint32_t even[MOST_WORDS2] = {0}, odd[MOST_WORDS2] = {0};
        do {
            const uint8_t *row = (const uint8_t *)(base + *entry++ * pitch);
#pragma GCC unroll 2
            for (int i = 0; i < words; i++) {
                uint32_t word = load(row + 4 * i);
                even[i] += word & 0x33333333;
                odd[i] += word >> 2 & 0x33333333;
            }
        } while (entry < stop);
        for (int i = 0; i < words; i++)
            for (uint32_t half = 0; half < 2; half++) {
                uint32_t *lanes = sums->lanes + 8 * i + 4 * half, low = even[i] >> 4 * half, high = odd[i] >> 4 * half;
                lanes[0] += low & 0xF000F;
                lanes[1] += low >> 8 & 0xF000F;
                lanes[2] += high & 0xF000F;
                lanes[3] += high >> 8 & 0xF000F;
            }
    }
}

/* Adds lanes, less what is too much in each, times 2^shift to so many channels of a map. */
INLINE void add_sums(snn_map_t *target, const sums_t *sums, int lanes, int channels, uint32_t excess, uint32_t shift) {
    const snn_map_t *lane = (const void *)sums->lanes;
    if (channels < 2 * lanes || channels & 1)
        for (int i = 0; i < 2 * lanes && i < channels; i++) target[i] = (int16_t)(target[i] + (int16_t)(((uint32_t)lane[i] - excess) << shift));
    else
        for (int i = 0; i < lanes; i++, target += 2) {
#if defined(__ARM_FEATURE_DSP)
            uint32_t pair = (uint32_t)__ssub16((int16x2_t)sums->lanes[i], (int16x2_t)((excess & 0xFFFF) * 0x10001u));
            pair = pair << shift & ~(((1u << shift) - 1) << 16); /* none crosses over */
            *(word_t *)target = (uint32_t)__sadd16((int16x2_t)load(target), (int16x2_t)pair);
#else
            target[0] = (int16_t)(target[0] + (int16_t)((sums->lanes[i] - excess) << shift));
            target[1] = (int16_t)(target[1] + (int16_t)(((sums->lanes[i] >> 16) - excess) << shift));
#endif
        }
}

/* Adds the weights of the spikes around column x, for the outputs of some words of each row of weights. */
INLINE void turn(const snn_conv_t *layer, snn_map_t *target, int x, int word, uint32_t shift, int words, int bits) {
    int neighbours = 32 / bits, first = word * neighbours, half = layer->kernel / 2, width = layer->width;
    const uint16_t *begins = layer->list;
    const uint16_t *entry = begins + begins[x < half ? 0 : x - half];
    const uint16_t *end = begins + begins[x + half < width ? x + half + 1 : width];
    uint32_t pitch = 4 * (uint32_t)((layer->out + neighbours - 1) / neighbours);
    uintptr_t base = (uintptr_t)layer->weights + 4 * (uintptr_t)word + (uintptr_t)((intptr_t)(x + half - width) * (intptr_t)pitch);
    while (entry < end) {
        int most = bits == 8 ? MOST_ROWS8 : MOST_ROWS4, count = end - entry < most ? (int)(end - entry) : most;
        sums_t sums;
        if (bits == 8) add_rows8(&sums, entry, entry + count, base, pitch, words);
        else if (bits == 4) widened4(&sums, entry, entry + count, base, pitch, words);
        else widened2(&sums, entry, entry + count, base, pitch, words);
        add_sums(target + first, &sums, words * neighbours / 2, layer->out - first, (uint32_t)count << (bits - 1), shift);
        entry += count;
    }
}

/* A convolution; one that is pooled is summed over squares of 2x2 pixels, an odd last row or column is left out. */
INLINE void gather(const snn_conv_t *layer, int bits) {
    int half = layer->kernel / 2, width = layer->width, pooled = layer->pooled, columns = width >> pooled, out = layer->out;
    int all = (out + 32 / bits - 1) / (32 / bits), most = bits == 8 ? MOST_WORDS8 : bits == 4 ? MOST_WORDS4 : MOST_WORDS2;
    for (uint32_t plane = 0; plane < layer->planes; plane++) {
        uint32_t shift = 8 - (uint32_t)bits + plane - layer->halvings;
        for (int y = 0; y < layer->height >> pooled << pooled; y++) {
            snn_map_t *target = layer->target + (y >> pooled) * columns * out;
            for (int x = 0, seen = 0; x < columns << pooled; x++) {
                if (x + half >= seen && seen < width) seen = listed(layer, y, plane, x < half ? 0 : x - half);
                snn_map_t *place = target + (x >> pooled) * out;
                int word = 0;
                for (; all - word >= most; word += most) turn(layer, place, x, word, shift, most, bits);
                if (most > 2 && all - word > 1) {
                    turn(layer, place, x, word, shift, 2, bits);
                    word += 2;
                }
                if (all - word) turn(layer, place, x, word, shift, 1, bits);
            }
        }
    }
}

void snn_conv8(const snn_conv_t *layer) { gather(layer, 8); }
void snn_conv4(const snn_conv_t *layer) { gather(layer, 4); }
void snn_conv2(const snn_conv_t *layer) { gather(layer, 2); }
