/* What the sketch calls of Arduino. */
#ifdef __cplusplus
struct Printer {
    explicit operator bool() const;
    void begin(unsigned long);
    void print(const char *);
    void print(unsigned long);
    void println(const char *);
};
extern Printer Serial;
extern "C" {
#endif
unsigned long millis(void);
void delay(unsigned long);
#ifdef __cplusplus
}
#endif
