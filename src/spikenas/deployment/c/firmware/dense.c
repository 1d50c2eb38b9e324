/* Kernels of a network of ReLUs, whose activations are bytes that weights are multiplied with. */
#include "inline.h"

void snn_relu(const snn_relu_t *layer) {
    const snn_map_t *source = layer->source;
    uint8_t *target = layer->target;
    for (uint32_t pixel = layer->pixels; pixel; pixel--)
        for (uint32_t c = 0; c < layer->channels; c++)
            *target++ = (uint8_t)clipped(charged(*source++, layer->ratio, layer->bias, c), 255);
}

#if defined(__ARM_FEATURE_DSP)
/* Bytes 1 and 3 of a word; the compiler does not fold the rotation. */
INLINE int16x2_t odd_weights(uint32_t word) {
    int16x2_t found;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(found) : "r"(word));
    return found;
}

INLINE uint16x2_t odd_activations(uint32_t word) {
    uint16x2_t found;
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(found) : "r"(word));
    return found;
}

INLINE int32_t dot_word(uint32_t activations, uint32_t weights, int32_t total) {
    total = __smlad((int16x2_t)__uxtb16((uint8x4_t)activations), __sxtb16((int8x4_t)weights), total);
    return __smlad((int16x2_t)odd_activations(activations), odd_weights(weights), total);
}
#else
INLINE int32_t dot_word(uint32_t activations, uint32_t weights, int32_t total) {
    for (uint32_t i = 0; i < 4; i++, activations >>= 8, weights >>= 8) total += (int32_t)(activations & 255) * (int8_t)weights;
    return total;
}
#endif

/* Sum of products of activations and as many weights from number `index` on. Of 4-bit weights in words the low halves of
 * the bytes are of the first four activations, the high ones of the next. */
INLINE int32_t dot(const uint8_t *source, const uint8_t *weights, uint32_t index, uint32_t count, uint32_t bits, int words) {
    int32_t total = 0;
    if (words && bits == 8)
        for (weights += index; count; count -= 4, source += 4, weights += 4) total = dot_word(load(source), load(weights), total);
    else if (words)
        for (weights += index / 2; count; count -= 8, source += 8, weights += 4) {
            uint32_t word = load(weights);
            total = dot_word(load(source), word << 4 & 0xF0F0F0F0u, total);
            total = dot_word(load(source + 4), word & 0xF0F0F0F0u, total);
        }
    else
        for (uint32_t i = 0; i < count; i++) total += source[i] * weight_at(weights, index + i, bits);
    return total;
}

/* Sum over the window around a pixel, of the kernel that begins at weight number `index`. */
INLINE int32_t window(const snn_dense_t *layer, int y, int x, uint32_t index, uint32_t bits, int words) {
    int kernel = layer->kernel, half = kernel / 2, left = x < half ? half - x : 0;
    int right = x + half < layer->width ? kernel : half + layer->width - x;
    int32_t total = 0;
    for (int ky = y < half ? half - y : 0; ky < kernel && y + ky - half < layer->height; ky++)
        total += dot(
            layer->source + (uint32_t)((y + ky - half) * layer->width + x + left - half) * layer->in, layer->weights,
            index + (uint32_t)(ky * kernel + left) * layer->in, (uint32_t)(right - left) * layer->in, bits, words);
    return total;
}

/* A convolution, summed over squares of `side` pixels; an odd last row or column is left out. */
INLINE void dense(const snn_dense_t *layer, uint32_t bits, int words, int side) {
    uint32_t size = (uint32_t)layer->kernel * layer->kernel * layer->in;
    snn_map_t *target = layer->target;
    for (int y = 0; y + side <= layer->height; y += side)
        for (int x = 0; x + side <= layer->width; x += side)
            for (uint32_t co = 0; co < layer->out; co++, target++) {
                int32_t total = 0;
                for (int dy = 0; dy < side; dy++)
                    for (int dx = 0; dx < side; dx++) total += window(layer, y + dy, x + dx, co * size, bits, words);
                *target = (int16_t)(*target + scaled(total, layer->ratio[co]));
            }
}

void snn_dense8(const snn_dense_t *layer) { dense(layer, 8, 1, 1); }
void snn_dense4(const snn_dense_t *layer) { dense(layer, 4, 1, 1); }
void snn_dense_any(const snn_dense_t *layer) { dense(layer, layer->bits, 0, 1); }
void snn_dense8_pool(const snn_dense_t *layer) { dense(layer, 8, 1, 2); }
void snn_dense4_pool(const snn_dense_t *layer) { dense(layer, 4, 1, 2); }
void snn_dense_any_pool(const snn_dense_t *layer) { dense(layer, layer->bits, 0, 2); }

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
                *target = (int16_t)(*target + scaled(total, layer->ratio[c]));
            }
        }
}

void snn_total(const snn_total_t *layer) {
    const uint8_t *source = layer->source;
    for (uint32_t pixel = layer->pixels; pixel; pixel--)
        for (uint32_t c = 0; c < layer->channels; c++) layer->totals[c] += *source++;
}
