#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define MAP_MAX ((1 << (MAP_BITS - 1)) - 1)
#define MEMBRANE_MAX ((1 << (MEMBRANE_BITS - 1)) - 1)

INLINE int32_t clamp(int32_t value, int32_t max) {
    return value > max ? max : value < ~max ? ~max : value;
}

INLINE void add(map_t *target, int32_t value) {
    *target = (map_t)clamp(*target + value, MAP_MAX);
}

INLINE int32_t scaled(int32_t value, affine_t affine) { /* value * mul must stay within 31 bits */
    return ((value * affine.mul + (1 << (affine.shift - 1))) >> affine.shift) + affine.add;
}

INLINE int32_t scaled_wide(int32_t value, affine_t affine) {
    return (int32_t)(((int64_t)value * affine.mul + (1 << (affine.shift - 1))) >> affine.shift) + affine.add;
}

void input_conv(const int8_t *image, const int8_t *weights, const affine_t *affine, map_t *target, int height, int width,
                int in_channels, int out_channels, int stride) { /* weights [co][3][3][ci] */
    for (int y = -1; y < height - 1; y += stride)
        for (int x = -1; x < width - 1; x += stride) {
            const int8_t *weight = weights;
            for (int co = 0; co < out_channels; co++) {
                int32_t total = 0;
                for (int ky = y; ky < y + 3; ky++)
                    for (int kx = x; kx < x + 3; kx++, weight += in_channels) {
                        if ((unsigned)ky >= (unsigned)height || (unsigned)kx >= (unsigned)width) continue;
                        const int8_t *pixel = image + (ky * width + kx) * in_channels;
                        for (int ci = 0; ci < in_channels; ci++) total += pixel[ci] * weight[ci];
                    }
                *target++ = (map_t)clamp(scaled_wide(total, affine[co]), MAP_MAX);
            }
        }
}

/* A map that convolutions are going to be added to starts with their biases. */
void fill(map_t *target, const map_t *bias, int pixels, int channels) {
    for (; pixels > 0; pixels--)
        for (int c = 0; c < channels; c++) *target++ = bias[c];
}

/* One step of one neuron: hard reset to 0, so that the membrane stays between its old value and the input. */
INLINE uint32_t fires(membrane_t *membrane, int32_t input, int leak, int threshold) {
    int32_t v = *membrane;
    v += ((clamp(input, MEMBRANE_MAX) - v) * leak + (1 << 13)) >> 14;
    uint32_t spike = v >= threshold;
    *membrane = (membrane_t)(spike ? 0 : v);
    return spike;
}

/* The next 32 neurons, or what is left of them. */
INLINE uint32_t lif_word(lif_t *lif, uint32_t *channel) {
    uint32_t word = 0;
    for (int bit = 0; bit < 32 && lif->neurons; bit++, lif->neurons--) {
        word |= fires(lif->membrane++, scaled(*lif->map++, lif->affine[*channel]), lif->leak, lif->threshold) << bit;
        if (++*channel == lif->channels) *channel = 0;
    }
    return word;
}

void lif(const map_t *map, const affine_t *affine, membrane_t *membrane, uint32_t *spikes, int neurons, int channels,
         int leak, int threshold) {
    lif_t all = {map, affine, membrane, spikes, (uint32_t)neurons, (uint16_t)channels, (int16_t)leak, (int16_t)threshold};
    uint32_t channel = 0;
    while (all.neurons) *spikes++ = lif_word(&all, &channel);
}

void lif_wide(const int32_t *accumulators, const affine_t *affine, membrane_t *membrane, uint32_t *spikes, int neurons,
              int leak, int threshold) {
    uint32_t word = 0;
    for (int n = 0; n < neurons; n++) {
        word |= fires(membrane + n, scaled_wide(accumulators[n], affine[n]), leak, threshold) << (n & 31);
        if ((n & 31) == 31 || n == neurons - 1) {
            *spikes++ = word;
            word = 0;
        }
    }
}

/* Loop heads: over the neurons that fire, of one word and of a buffer. */
#define FOR_BITS(word_, base_, n) \
    for (uint32_t word = (word_), n; word && (n = (base_) + (uint32_t)__builtin_ctz(word), 1); word &= word - 1)
#define FOR_SPIKES(spikes, neurons, n)                                           \
    for (uint32_t base = 0, neurons_ = (uint32_t)(neurons); base < neurons_; base += 32) \
        FOR_BITS((spikes)[base / 32], base, n)

INLINE int32_t weight_at(const int8_t *weights, uint32_t index, int bits) {
    if (bits == 8) return weights[index];
    uint32_t position = index * (uint32_t)bits;
    return (int32_t)((uint32_t)(uint8_t)weights[position / 8] << (32 - bits - position % 8)) >> (32 - bits);
}

/* One spike; `pool` halves the target's sides: the map then holds sums over 2x2. Weights [ci][ky][kx][co]. */
INLINE void scatter(conv_t conv, int neuron, int bits, int pool) {
    int pixel = neuron / conv.in_channels, y = pixel / conv.width, x = pixel - y * conv.width;
    int height = conv.height >> pool, width = conv.width >> pool, kernel = conv.kernel, half = kernel / 2;
    uint32_t index = (uint32_t)((neuron - pixel * conv.in_channels) * kernel * kernel * conv.out_channels);
    for (int oy = y + half; oy >= y - half; oy--)
        for (int ox = x + half; ox >= x - half; ox--, index += conv.out_channels) {
            if (oy < 0 || ox < 0 || oy >> pool >= height || ox >> pool >= width) continue;
            map_t *target = conv.target + ((oy >> pool) * width + (ox >> pool)) * conv.out_channels;
            if (bits == 8) {
                const int8_t *weight = conv.weights + index;
                for (int co = conv.out_channels; co > 0; co--) add(target++, *weight++);
            } else {
                for (uint32_t co = 0; co < conv.out_channels; co++) add(target++, weight_at(conv.weights, index + co, bits));
            }
        }
}

INLINE void scatter_all(conv_t conv, int bits, int pool) {
    FOR_SPIKES(conv.spikes, conv.height * conv.width * conv.in_channels, n) scatter(conv, (int)n, bits, pool);
}

#define CONV                                                                                                       \
    (conv_t) {                                                                                                     \
        spikes, weights, target, (uint16_t)height, (uint16_t)width, (uint16_t)in_channels, (uint16_t)out_channels, \
            (uint16_t)kernel                                                                                       \
    }
void conv_scatter(CONV_ARGS) { scatter_all(CONV, 8, 0); }
void conv_scatter_pool(CONV_ARGS) { scatter_all(CONV, 8, 1); }
void conv_scatter_4bit(CONV_ARGS) { scatter_all(CONV, 4, 0); }
void conv_scatter_2bit(CONV_ARGS) { scatter_all(CONV, 2, 0); }
void conv_scatter_by(const conv_t *conv) { scatter_all(*conv, 8, 0); }

/* Neurons whose spikes are scattered as they arise: there is no spike buffer. */
INLINE void lif_scatter(lif_t lif, const conv_t *conv, int pool) {
    uint32_t channel = 0;
    for (uint32_t base = 0; lif.neurons; base += 32)
        FOR_BITS(lif_word(&lif, &channel), base, n) scatter(*conv, (int)n, 8, pool);
}
void lif_conv(const lif_t *lif, const conv_t *conv) { lif_scatter(*lif, conv, 0); }
void lif_conv_pool(const lif_t *lif, const conv_t *conv) { lif_scatter(*lif, conv, 1); }

void depthwise_scatter(const uint32_t *spikes, const int8_t *weights, map_t *target, int height, int width,
                       int channels, int kernel) { /* weights [c][ky][kx] */
    int half = kernel / 2;
    FOR_SPIKES(spikes, height * width * channels, neuron) {
        int n = (int)neuron, pixel = n / channels, c = n - pixel * channels, y = pixel / width, x = pixel - y * width;
        const int8_t *weight = weights + c * kernel * kernel;
        for (int oy = y + half; oy >= y - half; oy--)
            for (int ox = x + half; ox >= x - half; ox--, weight++)
                if (oy >= 0 && ox >= 0 && oy < height && ox < width) add(target + (oy * width + ox) * channels + c, *weight);
    }
}

void pointwise(const map_t *map, const int8_t *weights, const affine_t *affine, map_t *target, int pixels,
               int in_channels, int out_channels) { /* weights [co][ci] */
    for (; pixels > 0; pixels--, map += in_channels) {
        const int8_t *weight = weights;
        for (int co = 0; co < out_channels; co++) {
            int32_t total = 0;
            for (int ci = 0; ci < in_channels; ci++) total += map[ci] * *weight++;
            add(target++, scaled_wide(total, affine[co]));
        }
    }
}

/* Mean of a window, padding counted as 0; the factor has 15 bits so that the product of any window fits. */
INLINE int32_t window(const map_t *map, int height, int width, int channels, int y, int x, int kernel, int factor) {
    int32_t total = 0;
    for (int ky = y; ky < y + kernel; ky++)
        for (int kx = x; kx < x + kernel; kx++)
            if ((unsigned)ky < (unsigned)height && (unsigned)kx < (unsigned)width) total += map[(ky * width + kx) * channels];
    return (total * factor + (1 << 14)) >> 15;
}

void avgpool_same(const map_t *map, map_t *target, int height, int width, int channels, int kernel) {
    int factor = (1 << 15) / (kernel * kernel), half = kernel / 2;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                add(target++, window(map + c, height, width, channels, y - half, x - half, kernel, factor));
}

void avgpool_stride(const map_t *map, map_t *target, int height, int width, int channels, int kernel) {
    int factor = (1 << 15) / (kernel * kernel);
    for (int y = 0; y + kernel <= height; y += kernel)
        for (int x = 0; x + kernel <= width; x += kernel)
            for (int c = 0; c < channels; c++)
                add(target++, window(map + c, height, width, channels, y, x, kernel, factor));
}

void sum(const map_t *map, map_t *target, int elements, int times) {
    for (; elements > 0; elements--) add(target++, *map++ * times);
}

void global_pool(const uint32_t *spikes, int32_t *counts, int pixels, int channels) {
    FOR_SPIKES(spikes, pixels * channels, n) counts[(int)n % channels]++;
}

INLINE void add_column(const int8_t *weight, int32_t *accumulators, int outputs) {
    for (; outputs > 0; outputs--) *accumulators++ += *weight++;
}

void linear_spikes(const uint32_t *spikes, const int8_t *weights, int32_t *accumulators, int inputs, int outputs) {
    FOR_SPIKES(spikes, inputs, n) add_column(weights + (int)n * outputs, accumulators, outputs); /* weights [in][out] */
}

/* The sum over kernel x kernel spikes in front of a linear layer; its mean's divisor belongs to the scale behind. */
void linear_spikes_pool(const uint32_t *spikes, const int8_t *weights, int32_t *accumulators, int height, int width,
                        int channels, int outputs, int kernel) {
    FOR_SPIKES(spikes, height * width * channels, neuron) {
        int n = (int)neuron, pixel = n / channels, y = pixel / width / kernel, x = pixel % width / kernel;
        if (y < height / kernel && x < width / kernel) {
            int input = (y * (width / kernel) + x) * channels + n - pixel * channels;
            add_column(weights + input * outputs, accumulators, outputs);
        }
    }
}

void linear_counts(const int32_t *counts, const int8_t *weights, int32_t *accumulators, int inputs, int outputs) {
    for (; inputs > 0; inputs--, counts++)
        for (int o = 0; o < outputs; o++) accumulators[o] += *counts * *weights++;
}

/* The mean over a group, times the group, which changes no comparison and loses no fraction. */
void vote(const int32_t *outputs, int32_t *votes, int classes, int group) {
    for (int c = 0; c < classes; c++) {
        int32_t total = 0;
        for (int i = 0; i < group; i++) total += *outputs++;
        votes[c] = total;
    }
}
