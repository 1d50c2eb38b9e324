/* What the test program needs of a machine; none of it is needed by the network. */
#ifndef PORT_H
#define PORT_H
#include <stdint.h>

void port_number(const char *name, uint32_t value);
void port_start_counting(void);
uint64_t port_count(void); /* instructions since then; 0 where they cannot be counted */
void port_paint_stack(void);
uint32_t port_stack_bytes(void); /* the most that was in use since; 0 where that is not known */
#endif
