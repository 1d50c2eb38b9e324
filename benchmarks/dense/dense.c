#include "dense.h"

/* [height][width][in] by [out][kernel][kernel][in], same padding, a scale of 2^-8, ReLU. */
void dense(const dense_t *layer, const int8_t *input, const int8_t *weights, const int32_t *bias, int8_t *output) {
    int height = layer->height, width = layer->width, in = layer->in, kernel = layer->kernel, half = kernel / 2;
    for (int y = -half; y < height - half; y += layer->stride)
        for (int x = -half; x < width - half; x += layer->stride) {
            const int8_t *weight = weights;
            for (int co = 0; co < layer->out; co++) {
                int32_t total = bias[co];
                for (int ky = y; ky < y + kernel; ky++)
                    for (int kx = x; kx < x + kernel; kx++, weight += in) {
                        if ((unsigned)ky >= (unsigned)height || (unsigned)kx >= (unsigned)width) continue;
                        const int8_t *pixel = input + (ky * width + kx) * in;
                        for (int ci = 0; ci < in; ci++) total += pixel[ci] * weight[ci];
                    }
                total = (total + 128) >> 8;
                *output++ = (int8_t)(total < 0 ? 0 : total > 127 ? 127 : total);
            }
        }
}
