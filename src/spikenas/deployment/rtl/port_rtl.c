/* Printing and counters of a core in RTL: counts cycles, and prints the instructions of what was counted as "retired". */
#include "port.h"

#define PRINT (*(volatile uint32_t *)0xF0000000)
#define LEAVE (*(volatile uint32_t *)0xF0000004)

static uint32_t retired, retired_before;
static uint64_t started;

static uint32_t instructions(void) {
    uint32_t value;
    __asm__ volatile("csrr %0, minstret" : "=r"(value) : : "memory");
    return value;
}

static uint64_t cycles(void) {
    uint32_t low, high, again;
    do __asm__ volatile("csrr %0, mcycleh\n csrr %1, mcycle\n csrr %2, mcycleh"
                        : "=r"(high), "=r"(low), "=r"(again) : : "memory");
    while (high != again);
    return (uint64_t)high << 32 | low;
}

void port_start_counting(void) {
    retired_before = instructions();
    started = cycles();
}

uint64_t port_count(void) {
    const uint64_t passed = cycles() - started;
    retired += instructions() - retired_before;
    return passed;
}

static void print(const char *text) {
    while (*text) PRINT = (uint8_t)*text++;
}

static void print_number(const char *name, uint32_t value) {
    print(name);
    PRINT = ' ';
    for (int shift = 28; shift >= 0; shift -= 4) PRINT = "0123456789abcdef"[value >> shift & 15];
    PRINT = '\n';
}

void port_number(const char *name, uint32_t value) {
    if (retired) print_number("retired", retired);
    retired = 0;
    print_number(name, value);
}

void finished(int status) {
    LEAVE = (uint32_t)status;
    for (;;) {}
}

void fault(void) { finished(3); }

void port_paint_stack(void) {}

uint32_t port_stack_bytes(void) { return 0; } /* QEMU tells; to paint all of the memory takes long in RTL */
