/* What the headers declare: prints to standard output, and ends the program where it would wait. */
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "Arduino.h"
extern "C" {
#include "pico/stdlib.h"
#include "zephyr/kernel.h"
#include "zephyr/sys/printk.h"

void printk(const char *format, ...) {
    va_list values;
    va_start(values, format);
    std::vprintf(format, values);
    va_end(values);
}
int64_t k_uptime_get(void) { return 0; }
void stdio_init_all(void) {}
absolute_time_t get_absolute_time(void) { return 0; }
int64_t absolute_time_diff_us(absolute_time_t, absolute_time_t) { return 0; }
void sleep_ms(uint32_t) { std::exit(0); }
unsigned long millis(void) { return 0; }
void delay(unsigned long) { std::exit(0); }
}

void setup(void) __attribute__((weak));
void loop(void) __attribute__((weak));
int main(void) __attribute__((weak));
int main(void) {
    setup();
    for (;;) loop();
}

Printer Serial;
Printer::operator bool() const { return true; }
void Printer::begin(unsigned long) {}
void Printer::print(const char *text) { std::printf("%s", text); }
void Printer::print(unsigned long number) { std::printf("%lu", number); }
void Printer::println(const char *text) { std::printf("%s\n", text); }
