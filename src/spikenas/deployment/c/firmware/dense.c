/* Kernels that multiply: convolutions of a network of ReLUs, whose activations are bytes, and the stem.
 *
 * The inputs of two neighbouring outputs, two columns, are put side by side, and multiplied with the weights of two channels
 * at a time. Weights are [out / 2][size / unit][2][unit], `unit` elements of a window that fill whole words; both are filled up
 * with zeros. Byte i of a word of 8-bit weights is element i of four; of weights of fewer bits, each shift by their bits
 * has the next four. Of a convolution that is pooled, the inputs of 2x2 outputs are summed before they are multiplied.
 */
#include "inline.h"

/* Sums of a channel's two columns, a and b, and of the next one's. */
typedef struct { int32_t a, b, c, d; } block_t;

#define UNIT(bits) ((bits) == 2 ? 16u : 8u)
#define HIGH(bits) (0x01010101u * (0x100u - (1u << (8 - (bits)))))

/* Four weights of fewer bits, which are number `four` in a word, in the high bits of its bytes. */
INLINE uint32_t quad(uint32_t word, uint32_t four, uint32_t bits) { return word << (8 - bits * (four + 1)) & HIGH(bits); }

#if defined(__ARM_FEATURE_MVE)

/* Columns lie one behind the other. */
INLINE uint32_t place_of(uint32_t element, uint32_t column, uint32_t size) { return column * size + element; }
INLINE snn_map_t *behind(snn_map_t *place, uint32_t element) { return place + 1 + 0 * element; }

/* Eight weights, of few bits times 256. */
INLINE int16x8_t weights_of(const uint8_t *weights, uint32_t eight, uint32_t bits) {
    static const uint16_t bytes[8] = {0, 1, 2, 3, 0, 1, 2, 3};
    static const int16_t fours[8] = {0, 0, 0, 0, -1, -1, -1, -1};
    if (bits == 8) return vldrbq_s16((const int8_t *)weights);
    int16x8_t shifts = vaddq_n_s16(vmulq_n_s16(vld1q_s16(fours), (int16_t)bits), (int16_t)(16 - bits * (2 * eight + 1)));
    uint16x8_t high = vshlq_u16(vldrbq_gather_offset_u16(weights, vld1q_u16(bytes)), shifts);
    return vshrq_n_s16(vreinterpretq_s16_u16(vandq_u16(high, vdupq_n_u16((uint16_t)(0x10000u - (1u << (16 - bits)))))), 8);
}

INLINE block_t multiplied(const snn_map_t *window, const uint8_t *weights, uint32_t size, uint32_t bits) {
    block_t sum = {0, 0, 0, 0};
    uint32_t next = UNIT(bits) * bits / 8;
    for (const snn_map_t *end = window + size; window < end; weights += 2 * next)
        for (uint32_t eight = 0; eight < UNIT(bits) / 8; eight++, window += 8) {
            int16x8_t first = vldrhq_s16(window), second = vldrhq_s16(window + size);
            int16x8_t one = weights_of(weights, eight, bits), other = weights_of(weights + next, eight, bits);
            sum.a = vmladavaq_s16(sum.a, one, first);
            sum.b = vmladavaq_s16(sum.b, one, second);
            sum.c = vmladavaq_s16(sum.c, other, first);
            sum.d = vmladavaq_s16(sum.d, other, second);
        }
    return sum;
}

#else

/* Of each four elements of a column first numbers 0 and 2, then 1 and 3; the columns take turns. */
INLINE uint32_t place_of(uint32_t element, uint32_t column, uint32_t size) {
    return (element & ~3u) * 2 + (element & 1) * 4 + column * 2 + (element >> 1 & 1) + 0 * size;
}

/* The place of the element that follows. */
INLINE snn_map_t *behind(snn_map_t *place, uint32_t element) { return place + (element & 1 ? element & 2 ? 3 : -3 : 4); }

#if defined(__ARM_FEATURE_DSP)

#define INPUTS "ldmia %[window]!, {r0, r1, r2, r3}\n"
#define TIMES(one, other)                                                                                          \
    "sxtb16 %[t], %[w]\n smlad " one ", r0, %[t], " one "\n smlad " other ", r1, %[t], " other "\n"                \
    "sxtb16 %[t], %[w], ror #8\n smlad " one ", r2, %[t], " one "\n smlad " other ", r3, %[t], " other "\n"
#define FOUR(from, then, shape) "ldr %[w], [%[weights], #" from "]\n" shape TIMES("%[a]", "%[b]") "ldr %[w], [%[weights], #" then "]\n" shape TIMES("%[c]", "%[d]")
#define SHIFTED(by, mask) "lsl %[w], %[w], #" by "\n and %[w], %[w], #" mask "\n"
#define MULTIPLY(body, bytes)                                                                                      \
    __asm__ volatile("1:\n" body "adds %[weights], #" bytes "\n cmp %[window], %[end]\n bne 1b\n"                      \
                     : [a] "+r"(sum.a), [b] "+r"(sum.b), [c] "+r"(sum.c), [d] "+r"(sum.d), [window] "+r"(window),  \
                       [weights] "+r"(weights), [w] "=&r"(w), [t] "=&r"(t)                                         \
                     : [end] "r"(end)                                                                              \
                     : "r0", "r1", "r2", "r3", "cc", "memory")

INLINE block_t multiplied(const snn_map_t *window, const uint8_t *weights, uint32_t size, uint32_t bits) {
    block_t sum = {0, 0, 0, 0};
    const snn_map_t *end = window + 2 * size;
    uint32_t w, t;
    if (bits == 8) MULTIPLY(INPUTS FOUR("0", "8", "") INPUTS FOUR("4", "12", ""), "16");
    if (bits == 4)
        MULTIPLY(INPUTS FOUR("0", "4", SHIFTED("4", "0xF0F0F0F0")) INPUTS FOUR("0", "4", "and %[w], %[w], #0xF0F0F0F0\n"), "8");
    if (bits == 2)
        MULTIPLY(INPUTS FOUR("0", "4", SHIFTED("6", "0xC0C0C0C0")) INPUTS FOUR("0", "4", SHIFTED("4", "0xC0C0C0C0"))
                 INPUTS FOUR("0", "4", SHIFTED("2", "0xC0C0C0C0")) INPUTS FOUR("0", "4", "and %[w], %[w], #0xC0C0C0C0\n"), "8");
    return sum;
}

#else

INLINE block_t multiplied(const snn_map_t *window, const uint8_t *weights, uint32_t size, uint32_t bits) {
    block_t sum = {0, 0, 0, 0};
    uint32_t next = UNIT(bits) * bits / 8;
    for (const snn_map_t *end = window + 2 * size; window < end; weights += 2 * next)
        for (uint32_t four = 0; four < UNIT(bits) / 4; four++, window += 8) {
            const uint8_t *own = weights + (bits == 8 ? 4 * four : 0);
            uint32_t first = bits == 8 ? 0 : quad(load(own), four, bits), second = bits == 8 ? 0 : quad(load(own + next), four, bits);
#pragma GCC unroll 4
            for (uint32_t i = 0; i < 4; i++) {
                int32_t one = bits == 8 ? (int8_t)own[i] : (int8_t)(first >> 8 * i);
                int32_t other = bits == 8 ? (int8_t)own[next + i] : (int8_t)(second >> 8 * i);
                int32_t left = window[(i & 1) * 4 + (i >> 1)], right = window[(i & 1) * 4 + (i >> 1) + 2];
                sum.a += left * one;
                sum.b += right * one;
                sum.c += left * other;
                sum.d += right * other;
            }
        }
    return sum;
}
#endif
#endif

INLINE uint8_t byte_of(int32_t value) {
#if defined(__ARM_FEATURE_DSP)
    return (uint8_t)__usat(value, 8);
#else
    return (uint8_t)clipped(value, 255);
#endif
}

void snn_relu(const snn_relu_t *layer) {
    const snn_map_t *source = layer->source;
    uint8_t *target = layer->target;
    for (uint32_t pixel = layer->pixels; pixel; pixel--) {
        const snn_ratio_t *ratio = layer->ratio, *end = ratio + layer->channels;
        const int32_t *bias = layer->bias;
#if defined(__ARM_FEATURE_MVE)
        for (int32_t left = (int32_t)layer->channels; left > 0; left -= 4, ratio += 4, source += 4, target += 4) {
            mve_pred16_t some = vctp32q((uint32_t)left);
            int32x4_t values = charged_lanes(source, ratio, bias, some);
            vstrbq_p_s32((int8_t *)target, vminq_s32(vmaxq_s32(values, vdupq_n_s32(0)), vdupq_n_s32(255)), some);
            if (bias) bias += 4;
        }
        source += end - ratio, target += end - ratio;
#else
        if (bias) while (ratio < end) *target++ = byte_of(charged(*source++, *ratio++, *bias++));
        else for (; ratio < end; ratio++) *target++ = byte_of(charged(*source++, *ratio, half_of(*ratio)));
#endif
    }
}

/* Adds activations to a column of a window, or puts them there, from element number `element` on. */
INLINE void put_run(snn_map_t *window, uint32_t element, uint32_t column, uint32_t size, const uint8_t *from, uint32_t count, int fours, int adds) {
#if defined(__ARM_FEATURE_MVE)
    snn_map_t *to = window + place_of(element, column, size) + 0 * fours;
    for (int32_t left = (int32_t)count; left > 0; left -= 8, from += 8, to += 8) {
        mve_pred16_t some = vctp16q((uint32_t)left);
        int16x8_t run = vreinterpretq_s16_u16(vldrbq_z_u16(from, some));
        vstrhq_p_s16(to, adds ? vaddq_s16(run, vldrhq_z_s16(to, some)) : run, some);
    }
#else
    if (fours) {
        snn_map_t *to = window + place_of(element, column, size);
        for (const uint8_t *end = from + count; from < end; from += 4, to += 8) {
            uint32_t word = load(from), even = word & 0xFF00FF, odd = word >> 8 & 0xFF00FF;
            *(word_t *)to = adds ? even + load(to) : even;
            *(word_t *)(to + 4) = adds ? odd + load(to + 4) : odd;
        }
    } else {
        snn_map_t *to = window + place_of(element, column, size);
        for (; count; count--, to = behind(to, element++)) *to = (int16_t)(*from++ + (adds ? *to : 0));
    }
#endif
}

/* Adds or puts the inputs of the output at y, x into a column; what is beyond the edges is left as it is. */
INLINE void put_window(const snn_dense_t *layer, int y, int x, uint32_t column, uint32_t size, int adds) {
    int kernel = layer->kernel, half = kernel / 2, in = layer->in, left = x < half ? half - x : 0;
    int right = x + half < layer->width ? kernel : half + layer->width - x;
    for (int ky = y < half ? half - y : 0; ky < kernel && y + ky - half < layer->height; ky++) {
        const uint8_t *from = layer->source + ((y + ky - half) * layer->width + x + left - half) * in;
        uint32_t element = (uint32_t)((ky * kernel + left) * in), count = (uint32_t)((right - left) * in);
        put_run(layer->window, element, column, size, from, count, !(in & 3), adds);
    }
}

INLINE void add_scaled(snn_map_t *target, int32_t total, snn_ratio_t ratio) {
    *target = (int16_t)(*target + scaled(total, ratio));
}

/* Adds what the columns of a window give to one pixel or two, each of `out` channels. */
INLINE void add_products(
    snn_map_t *target, const snn_map_t *window, const uint8_t *weights, uint32_t size, uint32_t bits, const snn_ratio_t *ratio, int out, int both) {
    for (int co = 0; co < out; co += 2, weights += 2 * size * bits / 8) {
        block_t sum = multiplied(window, weights, size, bits);
        for (int channel = co;;) {
            add_scaled(target + channel, sum.a, ratio[channel]);
            if (both) add_scaled(target + channel + out, sum.b, ratio[channel]);
            if (channel > co || ++channel == out) break;
            sum.a = sum.c, sum.b = sum.d;
        }
    }
}

/* A convolution; one that is pooled is summed over squares of 2x2 pixels, an odd last row or column is left out. */
INLINE void dense(const snn_dense_t *layer, uint32_t bits) {
    int pooled = layer->pooled, rows = layer->height >> pooled, columns = layer->width >> pooled, half = layer->kernel / 2, out = layer->out;
    uint32_t size = ((uint32_t)layer->kernel * layer->kernel * layer->in + UNIT(bits) - 1) & ~(UNIT(bits) - 1);
    snn_map_t *target = layer->target;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x += 2) {
            int both = x + 1 < columns, bottom = (y << pooled) + pooled + half, right = (x << pooled) + (both << pooled) + pooled + half;
            if (pooled || y < half || x < half || bottom >= layer->height || right >= layer->width) zero_words(layer->window, size);
            for (int column = 0; column <= both; column++) {
                if (!pooled) put_window(layer, y, x + column, (uint32_t)column, size, 0);
                else for (int i = 0; i < 4; i++) put_window(layer, 2 * y + i / 2, 2 * (x + column) + i % 2, (uint32_t)column, size, 1);
            }
            add_products(target, layer->window, layer->weights, size, bits, layer->ratio, out, both);
            target += both ? 2 * out : out;
        }
}

void snn_dense8(const snn_dense_t *layer) { dense(layer, 8); }
void snn_dense4(const snn_dense_t *layer) { dense(layer, 4); }
void snn_dense2(const snn_dense_t *layer) { dense(layer, 2); }

void snn_stem(const snn_stem_t *layer) {
    int height = layer->height, width = layer->width, in = layer->in, kernel = layer->kernel, half = kernel / 2, out = layer->out, stride = layer->stride;
    uint32_t size = ((uint32_t)kernel * kernel * layer->in + 7) & ~7u;
    snn_map_t *target = layer->target;
    for (int y = -half; y < height - half; y += stride)
        for (int x = -half; x < width - half; x += 2 * stride) {
            int both = x + stride < width - half;
            for (int column = 0; column <= both; column++) {
                snn_map_t *to = layer->window + place_of(0, (uint32_t)column, size);
                uint32_t element = 0;
                for (int ky = y; ky < y + kernel; ky++)
                    for (int kx = x + column * stride; kx < x + column * stride + kernel; kx++)
                        if ((unsigned)ky < (unsigned)height && (unsigned)kx < (unsigned)width) {
                            const uint8_t *from = layer->input + (ky * width + kx) * in;
                            for (int ci = 0; ci < in; ci++, to = behind(to, element++)) *to = (int16_t)(from[ci] - layer->zero[ci]);
                        } else
                            for (int ci = 0; ci < in; ci++, to = behind(to, element++)) *to = 0;
            }
            const uint8_t *weights = layer->weights;
            for (int co = 0; co < out; co += 2, weights += 2 * size) {
                block_t sum = multiplied(layer->window, weights, size, 8);
                for (int channel = co;;) {
                    target[channel] = (int16_t)(scaled(sum.a, layer->ratio[channel]) + layer->bias[channel]);
                    if (both) target[channel + out] = (int16_t)(scaled(sum.b, layer->ratio[channel]) + layer->bias[channel]);
                    if (channel > co || ++channel == out) break;
                    sum.a = sum.c, sum.b = sum.d;
                }
            }
            target += both ? 2 * out : out;
        }
}

/* A convolution of 1x1 of a map. */
INLINE void pointwise(const snn_pointwise_t *layer, uint32_t bits) {
    uint32_t in = layer->in, size = (in + UNIT(bits) - 1) & ~(UNIT(bits) - 1);
    const snn_map_t *source = layer->source;
    snn_map_t *target = layer->target;
    for (uint32_t pixel = 0; pixel < layer->pixels; pixel += 2, target += 2 * layer->out) {
        uint32_t both = pixel + 1 < layer->pixels;
        for (uint32_t column = 0; column <= both; column++) {
            snn_map_t *to = layer->window + place_of(0, column, size);
            for (uint32_t element = 0; element < in; to = behind(to, element++)) *to = *source++;
        }
        add_products(target, layer->window, layer->weights, size, bits, layer->ratio, layer->out, (int)both);
    }
}

void snn_pointwise8(const snn_pointwise_t *layer) { pointwise(layer, 8); }
void snn_pointwise4(const snn_pointwise_t *layer) { pointwise(layer, 4); }
void snn_pointwise2(const snn_pointwise_t *layer) { pointwise(layer, 2); }

void snn_dense_depthwise(const snn_dense_t *layer) {
    int height = layer->height, width = layer->width, channels = layer->in, half = layer->kernel / 2;
    snn_map_t *target = layer->target;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint32_t index = 0;
            for (int c = 0; c < channels; c++, target++) {
                int32_t total = 0;
                for (int ky = y - half; ky <= y + half; ky++)
                    for (int kx = x - half; kx <= x + half; kx++, index++)
                        if ((unsigned)ky < (unsigned)height && (unsigned)kx < (unsigned)width)
                            total += layer->source[(ky * width + kx) * channels + c] * weight_at(layer->weights, index, layer->bits);
                add_scaled(target, total, layer->ratio[c]);
            }
        }
}

void snn_total(const snn_total_t *layer) {
    const uint8_t *source = layer->source;
    for (uint32_t pixel = layer->pixels; pixel; pixel--)
        for (uint32_t c = 0; c < layer->channels; c++) layer->totals[c] += *source++;
}
