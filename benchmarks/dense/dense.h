/* An ordinary int8 convolution in plain C, as the firmware is compared with. */
#include <stdint.h>

typedef struct { uint16_t height, width, in, out, kernel, stride; } dense_t;

void dense(const dense_t *layer, const int8_t *input, const int8_t *weights, const int32_t *bias, int8_t *output);
