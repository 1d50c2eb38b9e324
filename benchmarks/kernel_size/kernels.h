/* Prototype kernels whose code size is measured; not the firmware. Maps are [H][W][C]. */
#ifndef KERNELS_H
#define KERNELS_H
#include <stdint.h>

#ifndef MAP_BITS
#define MAP_BITS 16
#endif
#ifndef MEMBRANE_BITS
#define MEMBRANE_BITS 16
#endif
#define INT_OF_(bits) int##bits##_t
#define INT_OF(bits) INT_OF_(bits)
typedef INT_OF(MAP_BITS) map_t;           /* 8 or 16 */
typedef INT_OF(MEMBRANE_BITS) membrane_t; /* 8 or 16 */

/* value -> round(value * mul / 2^shift) + add, one per channel; shift is 1..30. */
typedef struct {
    int16_t mul;
    uint16_t shift;
    int32_t add;
} affine_t;

/* Neuron i is bit i % 32 of word i / 32, i = (y * width + x) * channels + channel. */
typedef struct {
    const uint32_t *spikes;
    const int8_t *weights;
    map_t *target;
    uint16_t height, width, in_channels, out_channels, kernel;
} conv_t;

typedef struct {
    const map_t *map;
    const affine_t *affine;
    membrane_t *membrane;
    uint32_t *spikes;
    uint32_t neurons;
    uint16_t channels;
    int16_t leak, threshold; /* leak: 2^14 / tau */
} lif_t;

void input_conv(const int8_t *image, const int8_t *weights, const affine_t *affine, map_t *target, int height, int width,
                int in_channels, int out_channels, int stride);
void fill(map_t *target, const map_t *bias, int pixels, int channels);
void lif(const map_t *map, const affine_t *affine, membrane_t *membrane, uint32_t *spikes, int neurons, int channels,
         int leak, int threshold);
void lif_wide(const int32_t *accumulators, const affine_t *affine, membrane_t *membrane, uint32_t *spikes, int neurons,
              int leak, int threshold);
#define CONV_ARGS                                                                                                  \
    const uint32_t *spikes, const int8_t *weights, map_t *target, int height, int width, int in_channels,          \
        int out_channels, int kernel
void conv_scatter(CONV_ARGS);
void conv_scatter_pool(CONV_ARGS);
void conv_scatter_4bit(CONV_ARGS);
void conv_scatter_2bit(CONV_ARGS);
void conv_scatter_by(const conv_t *conv);
void lif_conv(const lif_t *lif, const conv_t *conv);
void lif_conv_pool(const lif_t *lif, const conv_t *conv);
void depthwise_scatter(const uint32_t *spikes, const int8_t *weights, map_t *target, int height, int width,
                       int channels, int kernel);
void pointwise(const map_t *map, const int8_t *weights, const affine_t *affine, map_t *target, int pixels,
               int in_channels, int out_channels);
void avgpool_same(const map_t *map, map_t *target, int height, int width, int channels, int kernel);
void avgpool_stride(const map_t *map, map_t *target, int height, int width, int channels, int kernel);
void sum(const map_t *map, map_t *target, int elements, int times);
void global_pool(const uint32_t *spikes, int32_t *counts, int pixels, int channels);
void linear_spikes(const uint32_t *spikes, const int8_t *weights, int32_t *accumulators, int inputs, int outputs);
void linear_spikes_pool(const uint32_t *spikes, const int8_t *weights, int32_t *accumulators, int height, int width,
                        int channels, int outputs, int kernel);
void linear_counts(const int32_t *counts, const int8_t *weights, int32_t *accumulators, int inputs, int outputs);
void vote(const int32_t *outputs, int32_t *votes, int classes, int group);
int argmax(const int32_t *values, int count);
int snn_run(const int8_t *image);
#endif
