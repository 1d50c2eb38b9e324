#include "dense.h"
#include "layers.h"
#include "port.h"

static int8_t input[LARGEST_MAP], output[LARGEST_MAP];
static int32_t bias[LARGEST_MAP];
extern const int8_t weights[];

static void number(const char *name, uint32_t value) {
    char text[9];
    for (int i = 0; i < 8; i++) text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    text[8] = 0;
    port_print(name);
    port_print(" ");
    port_print(text);
    port_print("\n");
}

int main(void) {
    for (uint32_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        port_start_counting();
        dense(layers + i, input, weights, bias, output);
        number("instructions_by_16", (uint32_t)(port_count() / 16));
    }
    number("images_equal", 0);
    return 0;
}
