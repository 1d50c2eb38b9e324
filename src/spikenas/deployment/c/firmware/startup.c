/* The smallest start-up of a Cortex-M or RV32 core; a real device brings its own. */
#include <stddef.h>
#include <string.h>
#include <stdint.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(void);

__attribute__((weak)) void finished(int status) {
    (void)status;
    for (;;) {}
}

__attribute__((weak)) void fault(void) {
    for (;;) {}
}

__attribute__((weak)) void tick(void) {}

__attribute__((used)) void start(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: floating point and vector instructions on */
    __asm__ volatile("dsb\n isb");
#endif
    memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    finished(main());
}

#if defined(__arm__)
__attribute__((section(".vectors"), used)) void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, start, fault, fault, fault, fault, fault, fault,
    fault, fault, fault, fault, fault, fault, fault, tick};
#else
__attribute__((section(".vectors"), naked, used)) void entry(void) {
    __asm__ volatile("la sp, stack_top\n j start");
}
#endif
