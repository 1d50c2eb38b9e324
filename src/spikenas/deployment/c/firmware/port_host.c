#include <stdio.h>

#include "port.h"

void port_number(const char *name, uint32_t value) { printf("%s %lu\n", name, (unsigned long)value); }
void port_start_counting(void) {}
uint64_t port_count(void) { return 0; }
void port_paint_stack(void) {}
uint32_t port_stack_bytes(void) { return 0; }
