#include "inline.h"

#define MEMBRANE_MAX ((1 << (SNN_MEMBRANE_BITS - 1)) - 1)
#define SPIKE_BITS 10
#define SHORT_DROP (SNN_MEMBRANE_BITS == 8 ? 5 : 0)

void snn_stem(const snn_stem_t *layer) {
    int height = layer->height, width = layer->width, in = layer->in, out = layer->out, half = layer->kernel / 2;
    snn_map_t *target = layer->target;
    for (int y = -half; y < height - half; y += layer->stride)
        for (int x = -half; x < width - half; x += layer->stride) {
            const int8_t *weight = (const int8_t *)layer->weights;
            for (int co = 0; co < out; co++) {
                int32_t total = 0;
                for (int ky = y; ky < y + layer->kernel; ky++)
                    for (int kx = x; kx < x + layer->kernel; kx++, weight += in) {
                        if ((unsigned)ky >= (unsigned)height || (unsigned)kx >= (unsigned)width) continue;
                        const uint8_t *pixel = layer->input + (ky * width + kx) * in;
                        for (int ci = 0; ci < in; ci++) total += (pixel[ci] - layer->zero[ci]) * weight[ci];
                    }
                *target++ = (int16_t)(scaled(total, layer->ratio[co]) + layer->bias[co]);
            }
        }
}

void snn_fill(const snn_fill_t *layer) {
    snn_map_t *target = layer->target;
    for (uint32_t pixel = 0; pixel < layer->pixels; pixel++)
        for (uint32_t c = 0; c < layer->channels; c++) *target++ = layer->bias ? layer->bias[c] : 0;
}

void snn_add(const snn_add_t *layer) {
    snn_map_t *target = layer->target;
    const snn_map_t *source = layer->source;
    for (uint32_t pixel = 0; pixel < layer->pixels; pixel++)
        for (int c = 0; c < layer->channels; c++, target++)
            *target = (int16_t)(*target + *source++ * layer->times + (layer->bias ? layer->bias[c] : 0));
}

/* Mean of a window around each pixel, padding counted as 0. */
void snn_avgpool(const snn_avgpool_t *layer) {
    int height = layer->height, width = layer->width, channels = layer->channels, half = layer->half;
    snn_map_t *target = layer->target;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++, target++) {
                int32_t total = 0;
                for (int ky = y - half; ky <= y + half; ky++)
                    for (int kx = x - half; kx <= x + half; kx++)
                        if ((unsigned)ky < (unsigned)height && (unsigned)kx < (unsigned)width)
                            total += layer->source[(ky * width + kx) * channels + c];
                *target = (int16_t)(*target + (int32_t)(((int64_t)total * layer->factor + (1 << 15)) >> 16));
            }
}

/* One neuron: charge, fire, reset. Membranes of 8 bits hold the potential in units of 2^drop, saturated. */
INLINE uint32_t fires(snn_membrane_t *membrane, int32_t x, int32_t threshold, int32_t reset, int32_t mul, int32_t shift) {
#if SNN_MEMBRANE_BITS == 8
    int32_t drop = shift >> 4, v = *membrane * (1 << drop);
    shift &= 15;
#else
    int32_t v = *membrane;
#endif
    v += ((x - v) * mul + ((1 << shift) >> 1)) >> shift;
    uint32_t spike = v >= threshold;
    v = spike ? reset : v;
#if SNN_MEMBRANE_BITS == 8
    v = (v + ((1 << drop) >> 1)) >> drop;
    v = v > MEMBRANE_MAX ? MEMBRANE_MAX : v < ~MEMBRANE_MAX ? ~MEMBRANE_MAX : v;
#endif
    *membrane = (snn_membrane_t)v;
    return spike;
}

void snn_lif(const snn_lif_t *layer) {
    const snn_map_t *source = layer->source;
    snn_membrane_t *membrane = layer->membrane;
    uint8_t *spikes = layer->spikes;
    int32_t mul = layer->leak_mul, shift = layer->leak_shift;
    for (uint32_t pixel = layer->pixels; pixel; pixel--) {
        const int16_t *threshold = layer->thresholds, *end = threshold + layer->channels;
        while (threshold < end) {
            uint32_t byte = 0;
            for (uint32_t bit = 1; bit < 256 && threshold < end; bit <<= 1)
                if (fires(membrane++, *source++, *threshold++, 0, mul, shift)) byte |= bit;
            *spikes++ = (uint8_t)byte;
        }
    }
}

void snn_lif_bn(const snn_lif_bn_t *layer) {
    const snn_map_t *source = layer->source;
    snn_membrane_t *membrane = layer->membrane;
    uint8_t *spikes = layer->spikes;
    int32_t mul = layer->leak_mul, shift = layer->leak_shift;
    for (uint32_t pixel = layer->pixels; pixel; pixel--) {
        const snn_neuron_t *neuron = layer->neurons, *end = neuron + layer->channels;
        while (neuron < end) {
            uint32_t byte = 0;
            for (uint32_t bit = 1; bit < 256 && neuron < end; bit <<= 1, neuron++)
                if (fires(membrane++, *source++ * neuron->sign, neuron->threshold, neuron->reset, mul, shift)) byte |= bit;
            *spikes++ = (uint8_t)byte;
        }
    }
}

void snn_lif_bn_reset(const snn_lif_bn_t *layer) {
    snn_membrane_t *membrane = layer->membrane;
    for (uint32_t pixel = layer->pixels; pixel; pixel--)
        for (uint32_t c = 0; c < layer->channels; c++) {
            int32_t v = layer->neurons[c].reset;
#if SNN_MEMBRANE_BITS == 8
            int32_t drop = layer->leak_shift >> 4;
            v = (v + ((1 << drop) >> 1)) >> drop;
            v = v > MEMBRANE_MAX ? MEMBRANE_MAX : v < ~MEMBRANE_MAX ? ~MEMBRANE_MAX : v;
#endif
            *membrane++ = (snn_membrane_t)v;
        }
}

/* What is left of a potential, as a membrane holds it. */
INLINE snn_membrane_t kept(int32_t v) {
    v = (v + ((1 << SHORT_DROP) >> 1)) >> SHORT_DROP;
    return (snn_membrane_t)(v > MEMBRANE_MAX ? MEMBRANE_MAX : v < ~MEMBRANE_MAX ? ~MEMBRANE_MAX : v);
}

/* Bit k of a number of up to 4 bits, in byte k. */
INLINE uint32_t spread(int32_t spikes) { return (uint32_t)spikes * 0x204081u & 0x1010101u; }

/* Writes the planes of up to eight channels, `run` bytes apart. */
INLINE void put(uint8_t *spikes, uint32_t word, uint32_t planes, uint32_t run) {
    for (; planes; planes--, word >>= 8, spikes += run) *spikes = (uint8_t)word;
}

/* Integer-valued neurons: charge, send, subtract what was sent; a spike is 2^SPIKE_BITS. */
void snn_ilif(const snn_ilif_t *layer) {
    const snn_map_t *source = layer->source;
    snn_membrane_t *membrane = layer->membrane;
    uint8_t *spikes = layer->spikes;
    uint32_t channels = layer->channels, planes = layer->planes, run = (channels + 7) >> 3;
    int32_t mul = layer->leak_mul, shift = layer->leak_shift, levels = layer->levels;
    for (uint32_t pixel = layer->pixels; pixel; pixel--, spikes += run * (planes - 1))
        for (uint32_t c = 0; c < channels; spikes++) {
            uint32_t word = 0;
            for (uint32_t bit = 0; bit < 8 && c < channels; bit++, c++) {
                int32_t v = *membrane * (1 << SHORT_DROP);
                v += charged(*source++, layer->ratio, layer->bias, c) - ((v * mul + ((1 << shift) >> 1)) >> shift);
                int32_t sent = clipped((v + (1 << (SPIKE_BITS - 1))) >> SPIKE_BITS, levels);
                *membrane++ = kept(v - sent * (1 << SPIKE_BITS));
                word |= spread(sent) << bit;
            }
            put(spikes, word, planes, run);
        }
}

/* The same with one timestep, of which nothing is left. */
void snn_ilif_once(const snn_ilif_once_t *layer) {
    const snn_map_t *source = layer->source;
    uint8_t *spikes = layer->spikes;
    uint32_t channels = layer->channels, planes = layer->planes, run = (channels + 7) >> 3;
    int32_t levels = layer->levels;
    for (uint32_t pixel = layer->pixels; pixel; pixel--, spikes += run * (planes - 1))
        for (uint32_t c = 0; c < channels; spikes++) {
            uint32_t word = 0;
            for (uint32_t bit = 0; bit < 8 && c < channels; bit++, c++)
                word |= spread(clipped(charged(*source++, layer->ratio, layer->bias, c), levels)) << bit;
            put(spikes, word, planes, run);
        }
}

void snn_lif_wide(const snn_lif_wide_t *layer) {
    uint8_t *spikes = layer->spikes;
    uint32_t byte = 0;
    for (uint32_t c = 0; c < layer->channels; c++) {
        int32_t x = (layer->source[c] + ((1 << layer->shift) >> 1)) >> layer->shift;
        x = x > 32767 ? 32767 : x < -32767 ? -32767 : x;
        if (fires(layer->membrane + c, x, layer->thresholds[c], 0, layer->leak_mul, layer->leak_shift)) byte |= 1u << (c & 7);
        if ((c & 7) == 7 || c + 1 == layer->channels) {
            *spikes++ = (uint8_t)byte;
            byte = 0;
        }
    }
}

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)
INLINE void store(void *to, uint32_t word) { __builtin_memcpy(to, &word, 4); }

/* Two neighbours of a map, plus bytes 0 and 2 of a word times 2^doublings or, where these are multiples of that, / 2^halvings. */
INLINE void add_bytes(snn_map_t *target, uint32_t word, uint32_t doublings, uint32_t halvings) {
    int16x2_t weights = (int16x2_t)__sxtb16((int8x4_t)word);
    if (doublings) weights = (int16x2_t)((uint32_t)weights << doublings & ~(((1u << doublings) - 1) << 16)); /* none crosses over */
    if (__builtin_constant_p(halvings))
        for (; halvings; halvings--) weights = __shadd16(weights, 0);
    else {
        uint32_t sign = 0x8000u >> halvings; /* of the lower weight, shifted */
        weights = __ssub16((int16x2_t)((uint32_t)((int32_t)weights >> halvings) ^ sign), (int16x2_t)sign);
    }
    store(target, (uint32_t)__sadd16((int16x2_t)load(target), weights));
}

INLINE uint32_t turned(uint32_t word) { return word >> 8 | word << 24; }
#endif

/* Adds 8-bit weights, times 2^plane, to neighbours of a map; of each four weights the middle two are exchanged. */
INLINE void accumulate8(snn_map_t *target, const uint8_t *weights, uint32_t count, uint32_t plane) {
#if defined(__ARM_FEATURE_MVE)
    static const uint16_t order[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    uint16x8_t offsets = vldrhq_u16(order);
    for (uint32_t i = 0; i < count; i += 8) {
        mve_pred16_t lanes = vctp16q(count - i);
        int16x8_t weight = vldrbq_gather_offset_z_s16((const int8_t *)weights + i, offsets, lanes);
        if (plane) weight = vshlq_r_s16(weight, (int32_t)plane);
        vstrhq_p_s16(target + i, vaddq_x_s16(vldrhq_z_s16(target + i, lanes), weight, lanes), lanes);
    }
#else
    for (; count; count -= 4, target += 4, weights += 4) {
#if defined(__ARM_FEATURE_DSP)
        uint32_t word = load(weights);
        add_bytes(target, word, plane, 0);
        add_bytes(target + 2, turned(word), plane, 0);
#else
        target[0] = (int16_t)(target[0] + (int8_t)weights[0] * (1 << plane));
        target[1] = (int16_t)(target[1] + (int8_t)weights[2] * (1 << plane));
        target[2] = (int16_t)(target[2] + (int8_t)weights[1] * (1 << plane));
        target[3] = (int16_t)(target[3] + (int8_t)weights[3] * (1 << plane));
#endif
    }
#endif
}

/* Adds 4-bit weights, times 16 / 2^halvings; eight are in a word: 0, 4, 2, 6, 1, 5, 3, 7 from the low bits up. */
INLINE void accumulate4(snn_map_t *target, const uint8_t *weights, uint32_t count, uint32_t halvings) {
    for (; count; count -= 8, target += 8, weights += 4) {
        uint32_t word = load(weights);
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)
        uint32_t even = word << 4 & 0xF0F0F0F0u, odd = word & 0xF0F0F0F0u;
        add_bytes(target, even, 0, halvings);
        add_bytes(target + 2, turned(even), 0, halvings);
        add_bytes(target + 4, odd, 0, halvings);
        add_bytes(target + 6, turned(odd), 0, halvings);
#else
#define NIBBLE(at) ((int32_t)(word << (28 - 4 * (at))) >> 28) * (16 >> halvings)
        target[0] = (int16_t)(target[0] + NIBBLE(0));
        target[1] = (int16_t)(target[1] + NIBBLE(4));
        target[2] = (int16_t)(target[2] + NIBBLE(2));
        target[3] = (int16_t)(target[3] + NIBBLE(6));
        target[4] = (int16_t)(target[4] + NIBBLE(1));
        target[5] = (int16_t)(target[5] + NIBBLE(5));
        target[6] = (int16_t)(target[6] + NIBBLE(3));
        target[7] = (int16_t)(target[7] + NIBBLE(7));
#endif
    }
}

/* Weights from number `index` on, times 2^plane / 2^halvings; packed in order where their count is no multiple of what a
 * word holds. Halved are weights of few bits, by no fewer than the planes that are above the first. */
INLINE void accumulate(
    snn_map_t *target, const uint8_t *weights, uint32_t index, uint32_t count, uint32_t bits, int words, uint32_t plane, uint32_t halvings) {
    if (words && bits == 8 && plane == 0) accumulate8(target, weights + index, count, 0); /* most spikes are in this plane */
    else if (words && bits == 8) accumulate8(target, weights + index, count, plane);
    else if (words) accumulate4(target, weights + index / 2, count, halvings - plane);
    else
        for (uint32_t i = 0; i < count; i++)
            target[i] = (int16_t)(target[i] + (weight_at(weights, index + i, bits) * (1 << plane) >> halvings));
}

/* Calls `what` with y, x, plane and channel of each bit that is set; empty bytes are passed over. */
#define FOR_SPIKES(spikes_, height_, width_, channels_, planes_, what)                    \
    do {                                                                                  \
        const uint8_t *bytes = (spikes_);                                                 \
        for (int y = 0; y < (height_); y++)                                               \
            for (int x = 0; x < (width_); x++)                                            \
                for (uint32_t plane = 0; plane < (planes_); plane++)                      \
                    for (int first = 0; first < (channels_); first += 8)                  \
                        for (uint32_t byte = *bytes++, c = (uint32_t)first; byte; byte >>= 1, c++) \
                            if (byte & 1) what;                                           \
    } while (0)

/* A spike adds its weights around it: kernels are turned, so that each row of them is one run of neighbours. */
INLINE void scatter(const snn_conv_t *layer, int y, int x, uint32_t plane, uint32_t c, uint32_t bits, int words, uint32_t halvings) {
    int kernel = layer->kernel, half = kernel / 2, left = x < half ? half - x : 0;
    int right = x + half < layer->width ? kernel : half + layer->width - x;
    uint32_t out = layer->out, count = (uint32_t)(right - left) * out;
    for (int ky = y < half ? half - y : 0; ky < kernel && y + ky - half < layer->height; ky++)
        accumulate(
            layer->target + (uint32_t)((y + ky - half) * layer->width + x + left - half) * out, layer->weights,
            ((c * (uint32_t)kernel + (uint32_t)ky) * (uint32_t)kernel + (uint32_t)left) * out, count, bits, words, plane, halvings);
}

/* The same into a map of half the sides, which holds sums over 2x2 pixels. */
INLINE void scatter_pool(const snn_conv_t *layer, int y, int x, uint32_t plane, uint32_t c, uint32_t bits, int words, uint32_t halvings) {
    int kernel = layer->kernel, half = kernel / 2, height = layer->height >> 1, width = layer->width >> 1;
    uint32_t out = layer->out, index = c * (uint32_t)(kernel * kernel) * out;
    for (int oy = y - half; oy <= y + half; oy++)
        for (int ox = x - half; ox <= x + half; ox++, index += out)
            if (oy >= 0 && ox >= 0 && oy >> 1 < height && ox >> 1 < width)
                accumulate(
                    layer->target + (uint32_t)((oy >> 1) * width + (ox >> 1)) * out, layer->weights, index, out, bits, words, plane, halvings);
}

#define CONV_OF(name, into, bits_, words, planes_, halvings_)                             \
    void name(const snn_conv_t *layer) {                                                  \
        FOR_SPIKES(layer->spikes, layer->height, layer->width, layer->in, planes_,        \
            into(layer, y, x, plane, c, bits_, words, halvings_));                        \
    }
#define CONV(name, into, bits_, words, halvings_)                                         \
    CONV_OF(name, into, bits_, words, 1, halvings_)                                       \
    CONV_OF(name##_planes, into, bits_, words, layer->planes, layer->halvings)
CONV(snn_conv8, scatter, 8, 1, 0)
CONV(snn_conv4, scatter, 4, 1, 0)
CONV(snn_conv_any, scatter, layer->bits, 0, 0)
CONV(snn_conv8_pool, scatter_pool, 8, 1, 0)
CONV(snn_conv4_pool, scatter_pool, 4, 1, 2)
CONV(snn_conv_any_pool, scatter_pool, layer->bits, 0, layer->bits < 8 ? 2 : 0)

INLINE void scatter_depthwise(const snn_conv_t *layer, int y, int x, uint32_t plane, uint32_t c, uint32_t halvings) {
    int half = layer->kernel / 2;
    uint32_t index = c * (uint32_t)(layer->kernel * layer->kernel);
    for (int oy = y - half; oy <= y + half; oy++)
        for (int ox = x - half; ox <= x + half; ox++, index++)
            if (oy >= 0 && ox >= 0 && oy < layer->height && ox < layer->width) {
                snn_map_t *target = layer->target + (uint32_t)(oy * layer->width + ox) * layer->in + c;
                *target = (int16_t)(*target + (weight_at(layer->weights, index, layer->bits) * (1 << plane) >> halvings));
            }
}

void snn_depthwise(const snn_conv_t *layer) {
    FOR_SPIKES(layer->spikes, layer->height, layer->width, layer->in, 1, scatter_depthwise(layer, y, x, plane, c, 0));
}

void snn_depthwise_planes(const snn_conv_t *layer) {
    FOR_SPIKES(layer->spikes, layer->height, layer->width, layer->in, layer->planes, scatter_depthwise(layer, y, x, plane, c, layer->halvings));
}

void snn_pointwise(const snn_pointwise_t *layer) {
    const snn_map_t *source = layer->source;
    snn_map_t *target = layer->target;
    for (uint32_t pixel = 0; pixel < layer->pixels; pixel++, source += layer->in) {
        uint32_t index = 0;
        for (uint32_t co = 0; co < layer->out; co++, target++) {
            int32_t total = 0;
            for (uint32_t ci = 0; ci < layer->in; ci++) total += source[ci] * weight_at(layer->weights, index++, layer->bits);
            *target = (int16_t)(*target + scaled(total, layer->ratio[co]));
        }
    }
}

void snn_count(const snn_count_t *layer) {
    FOR_SPIKES(layer->spikes, 1, (int)layer->pixels, layer->channels, 1, layer->counts[c]++);
}

void snn_count_planes(const snn_count_t *layer) {
    FOR_SPIKES(layer->spikes, 1, (int)layer->pixels, layer->channels, layer->planes, layer->counts[c] += 1 << plane);
}

INLINE void add_column(const snn_linear_t *layer, int y, int x, uint32_t c) {
    int row = (y * layer->inverse) >> 15, column = (x * layer->inverse) >> 15;
    if (row >= layer->rows || column >= layer->columns) return;
    uint32_t index = ((uint32_t)(row * layer->columns + column) * layer->channels + c) * layer->out;
    for (uint32_t o = 0; o < layer->out; o++) layer->target[o] += weight_at(layer->weights, index + o, layer->bits);
}

void snn_linear(const snn_linear_t *layer) {
    FOR_SPIKES(layer->spikes, layer->height, layer->width, layer->channels, 1, add_column(layer, y, x, c));
}

void snn_scores(const snn_scores_t *layer) {
    uint32_t index = 0;
    for (uint32_t o = 0; o < layer->out; o++) {
        int32_t total = 0;
        for (uint32_t i = 0; i < layer->in; i++) total += layer->source[i] * weight_at(layer->weights, index++, layer->bits);
        layer->target[o] = scaled(total, layer->ratio[o]) + layer->bias[o];
    }
}

void snn_votes(const snn_votes_t *layer) {
    uint32_t i = 0;
    for (uint32_t c = 0; c < layer->classes; c++) {
        int32_t total = 0;
        for (uint32_t n = 0; n < layer->group; n++, i++) total += scaled(layer->source[i], layer->ratio[i]) + layer->bias[i];
        layer->target[c] = total;
    }
}
