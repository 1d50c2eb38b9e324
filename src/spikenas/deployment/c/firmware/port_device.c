/* Semihosting and instruction counters of Cortex-M and RV32 as QEMU emulates them. */
#include "port.h"

extern uint32_t bss_end[], stack_top[];
void fault(void);

#define PAINT 0xA5A5A5A5u

#if defined(__arm__)
#define STK_CTRL (*(volatile uint32_t *)0xE000E010)
#define STK_LOAD (*(volatile uint32_t *)0xE000E014)
#define STK_VAL (*(volatile uint32_t *)0xE000E018)

static int semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static volatile uint32_t wraps;

void tick(void) { wraps++; } /* the counter has 24 bits */

void port_start_counting(void) {
    STK_CTRL = 0;
    wraps = 0;
    STK_LOAD = 0xFFFFFF;
    STK_VAL = 0;
    STK_CTRL = 7;
}

/* With -icount shift=0 an instruction takes a nanosecond; PORT_TICK_NS is that of the machine's SysTick. */
uint64_t port_count(void) {
    uint32_t before, value;
    do {
        before = wraps;
        value = STK_VAL;
    } while (before != wraps);
    return ((uint64_t)before * 0x1000000 + (value ? 0xFFFFFF - value : 0)) * PORT_TICK_NS; /* 0: it is about to begin anew */
}
#else
static int semihosting(int operation, const void *argument) {
    register int a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(
        ".option push\n .option norvc\n .balign 16\n slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n .option pop"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return a0;
}

static uint64_t started;

static uint64_t counter(void) {
    uint32_t low, high, again;
    do __asm__ volatile("csrr %0, minstreth\n csrr %1, minstret\n csrr %2, minstreth" : "=r"(high), "=r"(low), "=r"(again));
    while (high != again);
    return (uint64_t)high << 32 | low;
}

void port_start_counting(void) { started = counter(); }
uint64_t port_count(void) { return counter() - started; }
#endif

void port_number(const char *name, uint32_t value) { /* in hexadecimal, which needs no division */
    char text[] = " 00000000\n";
    for (int i = 0; i < 8; i++) text[1 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    semihosting(0x04, name);
    semihosting(0x04, text);
}

static void leave(uint32_t status) {
    const uint32_t block[2] = {0x20026, status};
    semihosting(0x20, block);
    for (;;) {}
}

void finished(int status) { leave((uint32_t)status); }
void fault(void) { leave(3); }

void port_paint_stack(void) {
    volatile uint32_t *end = (volatile uint32_t *)__builtin_frame_address(0) - 16;
    for (volatile uint32_t *word = bss_end; word < end; word++) *word = PAINT;
}

uint32_t port_stack_bytes(void) {
    const uint32_t *word = bss_end;
    while (word < stack_top && *word == PAINT) word++;
    return (uint32_t)((const char *)stack_top - (const char *)word);
}
