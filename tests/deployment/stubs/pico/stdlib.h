#include <stdint.h>
typedef uint64_t absolute_time_t;
void stdio_init_all(void);
absolute_time_t get_absolute_time(void);
int64_t absolute_time_diff_us(absolute_time_t, absolute_time_t);
void sleep_ms(uint32_t);
