void printk(const char *, ...) __attribute__((format(printf, 1, 2)));
