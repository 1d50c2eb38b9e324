/* The smallest program around a network: start-up, snn_run, argmax; and call sites to be measured. */
#include "kernels.h"
#include <string.h>

#ifndef TIMESTEPS
#define TIMESTEPS 5
#endif
#define INPUT_BYTES (3 * 32 * 32)
#define CLASSES 10

static int8_t input[INPUT_BYTES];
static int32_t outputs[CLASSES];
static const int8_t example[INPUT_BYTES] __attribute__((section(".example"))) = {1};
volatile int result = -1;

int argmax(const int32_t *values, int count) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (values[i] > values[best]) best = i;
    return best;
}

/* Where a network's calls stand: hidden from the optimiser, and empty. */
#define LAYERS __asm__ volatile("" ::: "memory")

int snn_run(const int8_t *image) {
    memcpy(input, image, sizeof input);
    memset(outputs, 0, sizeof outputs);
    LAYERS;
    for (int t = 0; t < TIMESTEPS; t++) LAYERS;
    return argmax(outputs, CLASSES);
}

#ifdef __arm__
extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

void trap(void) {
    for (;;) __asm__ volatile("bkpt 0");
}

void reset(void) {
    uint32_t *here = __builtin_frame_address(0);
    for (volatile uint32_t *word = bss_end; (uint32_t *)word < here - 16; word++) *word = 0xA5A5A5A5; /* paint */
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;                                                /* FPU on */
    __asm__ volatile("dsb\n isb");
    memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    result = snn_run(example);
    trap();
}

__attribute__((section(".vectors"), used)) void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, trap, trap, trap, trap, trap, trap, trap, trap, trap, trap, trap, trap, trap, trap};

/* Call sites as a network generator would write them: one static arena, weights of their own, constant shapes. */
static uint8_t arena[131072] __attribute__((aligned(4)));
#define MAP(at) ((map_t *)(void *)(arena + (at)))
#define SPIKES(at) ((uint32_t *)(void *)(arena + (at)))
#define AT(n) ((n) * 8192 + (n) * 76)
#define LAYER(n) extern const int8_t weights##n[]; extern const affine_t affine##n[];
LAYER(0) LAYER(1) LAYER(2) LAYER(3) LAYER(4) LAYER(5) LAYER(6) LAYER(7)
#define CALL_CONV(n, side, ci, co, k) conv_scatter(SPIKES(114764), weights##n, MAP(AT(n)), side, side, ci, co, k)
#define CALL_LIF(n, side, c, threshold)                                                                           \
    lif(MAP(AT(n)), affine##n, (membrane_t *)(void *)(arena + AT(n + 5)), SPIKES(114764), (side) * (side) * (c), c, \
        12288, threshold)

void calls_conv_4(void) {
    CALL_CONV(0, 32, 16, 16, 3); CALL_CONV(1, 32, 16, 16, 1); CALL_CONV(2, 32, 16, 16, 5); CALL_CONV(3, 32, 16, 32, 3);
}
void calls_conv_8(void) {
    CALL_CONV(0, 32, 16, 16, 3); CALL_CONV(1, 32, 16, 16, 1); CALL_CONV(2, 32, 16, 16, 5); CALL_CONV(3, 32, 16, 32, 3);
    CALL_CONV(4, 16, 32, 32, 3); CALL_CONV(5, 16, 32, 32, 1); CALL_CONV(6, 16, 32, 64, 3); CALL_CONV(7, 8, 64, 64, 3);
}
void calls_mixed_4(void) {
    CALL_LIF(0, 32, 16, 8192); CALL_CONV(0, 32, 16, 16, 3); CALL_LIF(1, 32, 16, 4096); CALL_CONV(1, 32, 16, 32, 1);
}
void calls_mixed_8(void) {
    CALL_LIF(0, 32, 16, 8192); CALL_CONV(0, 32, 16, 16, 3); CALL_LIF(1, 32, 16, 4096); CALL_CONV(1, 32, 16, 32, 1);
    CALL_LIF(2, 16, 32, 8192); CALL_CONV(2, 16, 32, 32, 3); CALL_LIF(3, 16, 32, 4096); CALL_CONV(3, 16, 32, 64, 5);
}
extern const conv_t convs[];
void calls_by_4(void) {
    conv_scatter_by(convs); conv_scatter_by(convs + 1); conv_scatter_by(convs + 2); conv_scatter_by(convs + 3);
}
void calls_by_8(void) {
    calls_by_4(); conv_scatter_by(convs + 4); conv_scatter_by(convs + 5); conv_scatter_by(convs + 6); conv_scatter_by(convs + 7);
}
_Static_assert(sizeof(conv_t) == 24, "measure.py counts a descriptor as 24 bytes");
#endif
