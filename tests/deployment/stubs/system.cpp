/* What the headers declare, for a program to link. */
#include "Arduino.h"
extern "C" {
#include "pico/stdlib.h"
#include "zephyr/kernel.h"
#include "zephyr/sys/printk.h"
void printk(const char *, ...) {}
int64_t k_uptime_get(void) { return 0; }
void stdio_init_all(void) {}
absolute_time_t get_absolute_time(void) { return 0; }
int64_t absolute_time_diff_us(absolute_time_t, absolute_time_t) { return 0; }
void sleep_ms(uint32_t) {}
unsigned long millis(void) { return 0; }
void delay(unsigned long) {}
void setup(void) __attribute__((weak));
void loop(void) __attribute__((weak));
int main(void) __attribute__((weak));
int main(void) { return 0; }
}
Printer Serial;
Printer::operator bool() const { return true; }
void Printer::begin(unsigned long) {}
void Printer::print(const char *) {}
void Printer::print(unsigned long) {}
void Printer::println(const char *) {}
