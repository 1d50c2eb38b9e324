/* Integer kernels of a spiking network. Plain C11 without libc; each kernel reads one constant descriptor.
 *
 * Maps are [height][width][channels] of int16. Spikes are bits, a pixel begins with a byte of its own: channel c of pixel p
 * is bit c % 8 of byte p * ((channels + 7) / 8) + c / 8. Numbers of spikes are planes of bits, the lowest first, each pixel's
 * side by side: bit k is in byte (p * planes + k) * ((channels + 7) / 8) + c / 8. Activations are bytes. Weights of 4 and
 * 2 bits are packed from the low bits of a byte up and stand for 16 and 64 times their value, or for less where a map says so;
 * the orders of those of convolutions are in gather.c and dense.c.
 * No sum can overflow: the exporter has bounded them all.
 *
 * Several networks share the kernels where their membranes.h is the same; it names them, so that a linker tells where it is not.
 */
#ifndef SNN_KERNELS_H
#define SNN_KERNELS_H
#include <stdint.h>

#include "membranes.h"

#if __SIZEOF_INT__ < 4 || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error the kernels are for processors whose int has 32 bits, with the lowest byte first
#endif

/* What lies in the arena, which is of bytes. */
typedef int16_t __attribute__((may_alias)) snn_map_t;
typedef int32_t __attribute__((may_alias)) snn_sum_t;
#if SNN_MEMBRANE_BITS == 8
typedef int8_t snn_membrane_t;
#else
typedef int16_t __attribute__((may_alias)) snn_membrane_t;
#endif

typedef struct { int16_t shift, mul; } __attribute__((aligned(4))) snn_ratio_t; /* value -> (value * mul + 2^(shift-1)) >> shift */

typedef struct {
    const snn_map_t *source;
    const snn_ratio_t *ratio; /* [channels], to 2^-10 spikes */
    const int32_t *bias; /* [channels], or 0: added before the shift, half included */
    snn_membrane_t *membrane;
    uint8_t *spikes;
    uint32_t pixels;
    uint16_t channels;
    uint8_t leak_mul, leak_shift, levels, planes, unused[2]; /* levels: most spikes of a timestep, of so many planes */
} snn_ilif_t;

typedef struct {
    const snn_map_t *source;
    const snn_ratio_t *ratio; /* [channels], to spikes */
    const int32_t *bias; /* [channels], or 0 */
    uint8_t *spikes;
    uint32_t pixels;
    uint16_t channels;
    uint8_t levels, planes;
} snn_ilif_once_t;

typedef struct {
    const snn_map_t *source;
    const snn_ratio_t *ratio; /* [channels], to steps of the activation */
    const int32_t *bias; /* [channels], or 0 */
    uint8_t *target; /* activations */
    uint32_t pixels;
    uint32_t channels;
} snn_relu_t;

typedef struct {
    const uint8_t *weights; /* as those of snn_dense8 */
    const snn_ratio_t *ratio; /* [out] */
    const int16_t *bias; /* [out] */
    const int16_t *zero; /* [in] */
    const uint8_t *input; /* [height][width][in] */
    snn_map_t *target;
    snn_map_t *window; /* of two columns */
    uint16_t height, width, in, out, kernel, stride;
} snn_stem_t;

typedef struct {
    snn_map_t *target;
    const int16_t *bias; /* [channels], or 0 */
    uint32_t pixels;
    uint32_t channels;
} snn_fill_t;

typedef struct {
    snn_map_t *target;
    const snn_map_t *source;
    const int16_t *bias; /* [channels], or 0 */
    uint32_t pixels;
    uint16_t channels;
    int16_t times;
} snn_add_t;

typedef struct {
    snn_map_t *target;
    const snn_map_t *source;
    uint16_t height, width, channels, half, factor, unused; /* half: of the kernel; factor: 2^16 / its area */
} snn_avgpool_t;

typedef struct {
    const snn_map_t *source;
    const int16_t *neurons; /* [channels] thresholds; of snn_lif_bn then as many potentials of reset, and the factors -1, 0 or 1 of the input */
    snn_membrane_t *membrane;
    uint8_t *spikes;
    uint32_t pixels;
    uint16_t channels;
    uint8_t leak_mul, leak_shift; /* 1 / tau = mul / 2^shift */
} snn_lif_t;

typedef struct {
    const snn_sum_t *source; /* [channels] */
    const int16_t *thresholds; /* [channels] */
    snn_membrane_t *membrane;
    uint8_t *spikes;
    uint16_t channels, shift; /* shift: of the source, before it is clamped to 16 bits */
    uint8_t leak_mul, leak_shift, unused[2];
} snn_lif_wide_t;

typedef struct {
    const uint8_t *weights; /* conv: [in][kernel][kernel][out], turned by 180 degrees, each row in whole words; depthwise: [in][kernel][kernel] */
    const uint8_t *spikes;
    snn_map_t *target;
    uint16_t height, width, in, out;
    uint8_t kernel, bits, planes, halvings; /* bit k of a number of spikes adds weights * 2^k / 2^halvings */
    uint16_t *list; /* of spikes, where those are listed */
    uint16_t room, pooled; /* elements of the list; whether 2x2 pixels are summed */
} snn_conv_t;

typedef struct {
    const uint8_t *weights; /* dense.c; depthwise: [in][kernel][kernel] */
    const snn_ratio_t *ratio; /* [out] */
    const uint8_t *source; /* activations, [height][width][in] */
    snn_map_t *target;
    snn_map_t *window; /* of two columns; depthwise: 0 */
    uint16_t height, width, in, out;
    uint8_t kernel, bits, pooled, unused; /* pooled: whether 2x2 pixels are summed */
} snn_dense_t;

typedef struct {
    const snn_map_t *source;
    const uint8_t *weights; /* as those of snn_dense_t */
    const snn_ratio_t *ratio; /* [out] */
    snn_map_t *target;
    snn_map_t *window; /* of two columns */
    uint32_t pixels;
    uint16_t in, out;
} snn_pointwise_t;

typedef struct {
    const uint8_t *spikes;
    snn_sum_t *counts; /* [channels] */
    uint32_t pixels;
    uint16_t channels, planes;
} snn_count_t;

typedef struct {
    const uint8_t *source; /* activations */
    snn_sum_t *totals; /* [channels] */
    uint32_t pixels;
    uint32_t channels;
} snn_total_t;

typedef struct {
    const uint8_t *weights; /* [rows][columns][channels][out] */
    const uint8_t *spikes; /* of height x width pixels */
    snn_sum_t *target; /* [out] */
    uint16_t height, width, channels, out, rows, columns, inverse, bits; /* inverse: 2^15 / pixels of a row, rounded up */
} snn_linear_t;

typedef struct {
    const snn_sum_t *source; /* [in] */
    const uint8_t *weights; /* [out][in] */
    const snn_ratio_t *ratio; /* [out] */
    const int32_t *bias; /* [out] */
    snn_sum_t *target; /* [out] */
    uint16_t in, out, bits, unused;
} snn_scores_t;

typedef struct {
    const snn_sum_t *source; /* [classes][group] */
    const snn_ratio_t *ratio; /* the same */
    const int32_t *bias; /* the same */
    snn_sum_t *target; /* [classes] */
    uint16_t classes, group;
} snn_votes_t;

void snn_stem(const snn_stem_t *layer);
void snn_fill(const snn_fill_t *layer);
void snn_add(const snn_add_t *layer);
void snn_avgpool(const snn_avgpool_t *layer);
void snn_lif(const snn_lif_t *layer);
void snn_lif_bn(const snn_lif_t *layer);
void snn_lif_bn_reset(const snn_lif_t *layer);
void snn_ilif(const snn_ilif_t *layer);
void snn_ilif_once(const snn_ilif_once_t *layer);
void snn_relu(const snn_relu_t *layer);
void snn_lif_wide(const snn_lif_wide_t *layer);
void snn_dense8(const snn_dense_t *layer);
void snn_dense4(const snn_dense_t *layer);
void snn_dense2(const snn_dense_t *layer);
void snn_dense_depthwise(const snn_dense_t *layer);
void snn_conv8(const snn_conv_t *layer);
void snn_conv4(const snn_conv_t *layer);
void snn_conv2(const snn_conv_t *layer);
void snn_depthwise(const snn_conv_t *layer);
void snn_depthwise_planes(const snn_conv_t *layer);
void snn_pointwise8(const snn_pointwise_t *layer);
void snn_pointwise4(const snn_pointwise_t *layer);
void snn_pointwise2(const snn_pointwise_t *layer);
void snn_count(const snn_count_t *layer);
void snn_count_planes(const snn_count_t *layer);
void snn_total(const snn_total_t *layer);
void snn_linear(const snn_linear_t *layer);
void snn_scores(const snn_scores_t *layer);
void snn_votes(const snn_votes_t *layer);
#endif
