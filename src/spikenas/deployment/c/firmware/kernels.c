#include "inline.h"

#define MEMBRANE_MAX ((1 << (SNN_MEMBRANE_BITS - 1)) - 1)
#define SPIKE_BITS 10
#define SHORT_DROP (SNN_MEMBRANE_BITS == 8 ? 5 : 0)

void snn_fill(const snn_fill_t *layer) {
    snn_map_t *target = layer->target;
    uint32_t channels = layer->channels;
    if (!layer->bias) zero_words(target, (layer->pixels * channels + 1) / 2);
    else
        for (uint32_t pixel = layer->pixels; pixel; pixel--)
            if (channels & 1) for (uint32_t c = 0; c < channels; c++) *target++ = layer->bias[c];
            else for (const snn_map_t *bias = layer->bias, *end = bias + channels; bias < end; bias += 2, target += 2) {
                *(word_t *)target = load(bias);
                HERE; /* no memcpy */
            }
}

/* Sums of two neighbours each. */
INLINE uint32_t pair_sum(uint32_t one, uint32_t other) {
#if defined(__ARM_FEATURE_DSP)
    return (uint32_t)__sadd16((int16x2_t)one, (int16x2_t)other);
#else
    return ((one & 0x7FFF7FFF) + (other & 0x7FFF7FFF)) ^ ((one ^ other) & 0x80008000);
#endif
}

void snn_add(const snn_add_t *layer) {
    snn_map_t *target = layer->target;
    const snn_map_t *source = layer->source;
    uint32_t channels = layer->channels, run = layer->pixels * channels; /* without biases all pixels are one run */
    if (layer->times <= 1 && !(layer->bias ? channels & 1 : run & 1))
        for (const snn_map_t *all = target + run; target < all;) {
            const snn_map_t *bias = layer->bias;
            if (!bias)
                for (; target < all; target += 2, source += 2) *(word_t *)target = pair_sum(load(target), load(source));
            else
                for (const snn_map_t *end = target + channels; target < end; target += 2, source += 2, bias += 2)
                    *(word_t *)target = pair_sum(load(target), layer->times ? pair_sum(load(source), load(bias)) : load(bias));
        }
    else
        for (uint32_t pixel = 0; pixel < layer->pixels; pixel++)
            for (uint32_t c = 0; c < channels; c++, target++)
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

/* Up to eight neurons of tau 4/3 in lanes of 16 bits: v + (3 (x - v) + 2) / 4 is x + ((v - x) / 2 + 1) / 2, each rounded down. */
#if SNN_MEMBRANE_BITS == 16 && defined(__ARM_FEATURE_MVE)
#define LANES 1
INLINE uint32_t fire(snn_membrane_t *membrane, const snn_map_t *source, const int16_t *neuron, uint32_t channels, uint32_t count, int biased) {
    static const uint16_t bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    mve_pred16_t some = vctp16q(count);
    int16x8_t x = vldrhq_z_s16(source, some), v = vldrhq_z_s16(membrane, some), reset = vdupq_n_s16(0);
    if (biased) {
        x = vmulq_s16(x, vldrhq_z_s16(neuron + 2 * channels, some));
        reset = vldrhq_z_s16(neuron + channels, some);
    }
    v = vaddq_s16(x, vhaddq_n_s16(vhsubq_s16(v, x), 1));
    mve_pred16_t spikes = vcmpgeq_m_s16(v, vldrhq_z_s16(neuron, some), some);
    vstrhq_p_s16(membrane, vpselq_s16(reset, v, spikes), some);
    return vaddvq_p_u16(vld1q_u16(bits), spikes);
}
#elif SNN_MEMBRANE_BITS == 16 && defined(__ARM_FEATURE_DSP)
#define LANES 1
INLINE uint32_t fire(snn_membrane_t *membrane, const snn_map_t *source, const int16_t *neuron, uint32_t channels, uint32_t count, int biased) {
    uint32_t spikes = 0;
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; i += 2) {
        int16x2_t x = (int16x2_t)load(source + i), v = (int16x2_t)load(membrane + i);
        if (biased) {
            uint32_t sign = load(neuron + 2 * channels + i);
            x = (int16x2_t)(((uint32_t)((int16_t)x * (int16_t)sign) & 0xFFFF) | (uint32_t)((x >> 16) * ((int32_t)sign >> 16)) << 16);
        }
        v = __sadd16(x, __shadd16(__shsub16(v, x), 0x10001));
        __ssub16(v, (int16x2_t)load(neuron + i));
        *(word_t *)(membrane + i) = __sel(biased ? load(neuron + channels + i) : 0, (uint8x4_t)v);
        spikes |= __sel(0x20001, 0) << i;
    }
    return spikes | spikes >> 16;
}
#else
#define LANES 0
#define fire(membrane, source, neuron, channels, count, biased) 0
#endif

INLINE void lif(const snn_lif_t *layer, int biased) {
    const snn_map_t *source = layer->source;
    snn_membrane_t *membrane = layer->membrane;
    uint8_t *spikes = layer->spikes;
    int32_t mul = layer->leak_mul, shift = layer->leak_shift;
    uint32_t channels = layer->channels, lanes = LANES && mul == 3 && shift == 2 && !(channels & 1);
    for (uint32_t pixel = layer->pixels; pixel; pixel--) {
        const int16_t *neuron = layer->neurons, *end = neuron + channels;
        while (neuron < end) {
            uint32_t byte = 0, count = end - neuron < 8 ? (uint32_t)(end - neuron) : 8;
            if (lanes && count == 8) byte = fire(membrane, source, neuron, channels, 8, biased);
            else if (lanes)
                for (uint32_t i = 0; i < count; i += 2) byte |= fire(membrane + i, source + i, neuron + i, channels, 2, biased) << i;
            else
                for (uint32_t i = 0; i < count; i++) {
                    int32_t x = biased ? source[i] * neuron[2 * channels + i] : source[i], reset = biased ? neuron[channels + i] : 0;
                    byte |= fires(membrane + i, x, neuron[i], reset, mul, shift) << i;
                }
            membrane += count, source += count, neuron += count;
            *spikes++ = (uint8_t)byte;
        }
    }
}

void snn_lif(const snn_lif_t *layer) { lif(layer, 0); }
void snn_lif_bn(const snn_lif_t *layer) { lif(layer, 1); }

void snn_lif_bn_reset(const snn_lif_t *layer) {
    snn_membrane_t *membrane = layer->membrane;
    for (uint32_t pixel = layer->pixels; pixel; pixel--)
        for (uint32_t c = 0; c < layer->channels; c++) {
            int32_t v = layer->neurons[layer->channels + c];
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
                v += charged(*source++, layer->ratio[c], layer->bias ? layer->bias[c] : half_of(layer->ratio[c])) - ((v * mul + ((1 << shift) >> 1)) >> shift);
                int32_t sent = clipped((v + (1 << (SPIKE_BITS - 1))) >> SPIKE_BITS, levels);
                *membrane++ = kept(v - sent * (1 << SPIKE_BITS));
                word |= spread(sent) << bit;
            }
            put(spikes, word, planes, run);
        }
}

/* The lowest bits of the eight halves of bytes, side by side. */
INLINE uint8_t gathered(uint32_t nibbles) {
    nibbles &= 0x11111111;
    nibbles = (nibbles | nibbles >> 3) & 0x03030303;
    nibbles = (nibbles | nibbles >> 6) & 0x000F000F;
    return (uint8_t)(nibbles | nibbles >> 12);
}

/* Up to eight numbers of spikes, a nibble each. */
#if defined(__ARM_FEATURE_MVE)
INLINE uint32_t numbers(const snn_map_t *source, const snn_ratio_t *ratio, const int32_t *bias, uint32_t count, int32_t levels, int biased) {
    static const int32_t nibbles[4] = {0, 4, 8, 12};
    uint32_t found = 0;
    for (int32_t at = 0; at < (int32_t)count; at += 4) {
        mve_pred16_t some = vctp32q((uint32_t)((int32_t)count - at));
        int32x4_t sent = charged_lanes(source + at, ratio + at, biased ? bias + at : 0, some);
        sent = vminq_s32(vmaxq_s32(sent, vdupq_n_s32(0)), vdupq_n_s32(levels));
        found |= (uint32_t)vaddvq_p_s32(vshlq_s32(sent, vld1q_s32(nibbles)), some) << 4 * at;
    }
    return found;
}
#else
INLINE uint32_t numbers(const snn_map_t *source, const snn_ratio_t *ratio, const int32_t *bias, uint32_t count, int32_t levels, int biased) {
    uint32_t found = 0;
#pragma GCC unroll 8
    for (uint32_t i = 0; i < count; i++) {
        int32_t value = charged(source[i], ratio[i], biased ? bias[i] : half_of(ratio[i]));
#if defined(__ARM_FEATURE_DSP)
        found |= (uint32_t)__usat(value, 4) << 4 * i;
    }
    uint32_t most = (uint32_t)levels * 0x1010101, low = found & 0xF0F0F0F, high = found >> 4 & 0xF0F0F0F;
    return (low - __uqsub8(low, most)) | (high - __uqsub8(high, most)) << 4;
#else
        found |= (uint32_t)clipped(value, levels) << 4 * i;
    }
    return found;
#endif
}
#endif

INLINE void send_once(const snn_ilif_once_t *layer, int biased) {
    const snn_map_t *source = layer->source;
    uint8_t *spikes = layer->spikes;
    uint32_t channels = layer->channels, planes = layer->planes, run = (channels + 7) >> 3;
    int32_t levels = layer->levels;
    for (uint32_t pixel = layer->pixels; pixel; pixel--, spikes += run * (planes - 1)) {
        const snn_ratio_t *ratio = layer->ratio, *end = ratio + channels;
        const int32_t *bias = layer->bias;
        while (ratio < end) {
            uint32_t sent = 0, count = end - ratio < 8 ? (uint32_t)(end - ratio) : 8;
            if (count == 8) sent = numbers(source, ratio, bias, 8, levels, biased);
            else for (uint32_t i = 0; i < count; i++) sent |= numbers(source + i, ratio + i, biased ? bias + i : 0, 1, levels, biased) << 4 * i;
            source += count, ratio += count;
            if (biased) bias += count;
            uint8_t *byte = spikes++;
            for (uint32_t plane = planes; plane; plane--, sent >>= 1, byte += run) *byte = gathered(sent);
        }
    }
}

/* The same with one timestep, of which nothing is left. */
void snn_ilif_once(const snn_ilif_once_t *layer) {
    if (layer->bias) send_once(layer, 1);
    else send_once(layer, 0);
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
