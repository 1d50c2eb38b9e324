/* Brings a picture of any size to a network's input, as the network's training pictures were brought to it. */
#ifndef SNN_PICTURE_H
#define SNN_PICTURE_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a picture of another aspect ratio: it is changed, too much is cut off on both sides, or bars of grey are added. */
enum { SNN_STRETCH, SNN_CROP, SNN_PAD };

/* A network's input, [height][width][channels] bytes. */
typedef struct {
    uint16_t height, width;
    uint8_t channels, fit; /* channels: 1 of grey, 3 of red, green and blue */
} snn_frame_t;

/* Writes a picture, [height][width][channels] bytes with `channels` 1 or 3, into an input. Returns 0, or -1 where a side is
 * empty or would be shrunk by more than SNN_MOST_SHRUNK, or there are other channels; then nothing is written. Takes 4 KiB of stack. */
#define SNN_MOST_SHRUNK 128
int snn_fit_picture(const snn_frame_t *frame, const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels, uint8_t *input);

#ifdef __cplusplus
}
#endif
#endif
