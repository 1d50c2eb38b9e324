/* Resizing as Pillow's BILINEAR, bit for bit: each output pixel is an average of the lines' pixels, rounded to 8 bits, and then of
 * the columns', with weights that fall off linearly from its centre. */
#include "picture.h"

#define WEIGHT_BITS 22
#define MOST_TAPS (2 * SNN_MOST_SHRUNK + 3) /* pixels that are averaged in a line or a column */
#define MOST_TOGETHER 8 /* columns of the output whose weights are kept at a time */

/* A part of one side of a picture, and the pixels that it becomes. */
typedef struct {
    double start, scale, stretch; /* stretch: 1 where it becomes larger */
    uint32_t size, out;
} side_t;

typedef struct {
    uint32_t first, count;
    const int32_t *weights;
} taps_t;

/* Two roundings, where a compiler would make one of a product and a sum. */
static double product(double a, double b) {
    volatile double found = a * b;
    return found;
}

/* A part from `start` to `end`, which are of 32 bits as Pillow's are. */
static side_t side(float start, float end, uint32_t size, uint32_t out) {
    volatile float length = end - start;
    double scale = (double)length / out;
    return (side_t){start, scale, scale < 1 ? 1 : scale, size, out};
}

static double falling(double distance) {
    distance = distance < 0 ? -distance : distance;
    return distance < 1 ? 1 - distance : 0;
}

/* The pixels that output pixel `at` is an average of; their weights are written. */
static taps_t taps(const side_t *side, uint32_t at, int32_t *weights) {
    double centre = side->start + product(at + 0.5, side->scale), total = 0, each = 1 / side->stretch;
    double low = centre - side->stretch + 0.5, high = centre + side->stretch + 0.5;
    uint32_t first = low < 0 ? 0 : (uint32_t)low, end = high > side->size ? side->size : (uint32_t)high;
    for (uint32_t i = first; i < end; i++) total += falling(product(i - centre + 0.5, each));
    for (uint32_t i = first; i < end; i++)
        weights[i - first] = (int32_t)(0.5 + falling(product(i - centre + 0.5, each)) / total * (1 << WEIGHT_BITS));
    return (taps_t){first, end - first, weights};
}

static uint32_t rounded(int32_t sum) {
    sum = (sum + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS;
    return (uint32_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static uint32_t grey(const uint8_t *pixel) { return (pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16; }

typedef struct {
    const uint8_t *pixels;
    uint32_t width, channels, wanted;
} picture_t;

/* One value of a line after it was resized. */
static uint32_t across(const picture_t *picture, uint32_t row, const taps_t *columns, uint32_t channel) {
    const uint8_t *pixel = picture->pixels + (row * picture->width + columns->first) * picture->channels;
    int32_t sum = 0;
    if (picture->channels > picture->wanted)
        for (uint32_t i = 0; i < columns->count; i++, pixel += 3) sum += (int32_t)grey(pixel) * columns->weights[i];
    else
        for (uint32_t i = 0; i < columns->count; i++, pixel += picture->channels)
            sum += pixel[picture->channels > 1 ? channel : 0] * columns->weights[i];
    return rounded(sum);
}

/* Writes columns `first` to `end` of the output, whose weights are given; rows of the input are `pitch` pixels apart. */
static void write_columns(const picture_t *picture, const taps_t *columns, uint32_t count, const side_t *down, uint8_t *target, uint32_t pitch) {
    int32_t weights[MOST_TAPS];
    for (uint32_t y = 0; y < down->out; y++) {
        taps_t rows = taps(down, y, weights);
        uint8_t *to = target + y * pitch * picture->wanted;
        for (uint32_t x = 0; x < count; x++)
            for (uint32_t channel = 0; channel < picture->wanted; channel++) {
                int32_t sum = 0;
                for (uint32_t i = 0; i < rows.count; i++)
                    sum += (int32_t)across(picture, rows.first + i, columns + x, channel) * rows.weights[i];
                *to++ = (uint8_t)rounded(sum);
            }
    }
}

static void resize(const picture_t *picture, const side_t *along, const side_t *down, uint8_t *target, uint32_t pitch) {
    int32_t weights[2 * MOST_TAPS];
    for (uint32_t x = 0; x < along->out;) {
        taps_t columns[MOST_TOGETHER];
        uint32_t count = 0, used = 0;
        for (; count < MOST_TOGETHER && x + count < along->out && used + MOST_TAPS <= 2 * MOST_TAPS; used += columns[count++].count)
            columns[count] = taps(along, x + count, weights + used);
        write_columns(picture, columns, count, down, target + x * picture->wanted, pitch);
        x += count;
    }
}

/* The nearest number, at least 1; of two as near the even one. */
static uint32_t nearest(double value) {
    uint32_t below = (uint32_t)value;
    double rest = value - below;
    below += rest > 0.5 || (rest == 0.5 && below % 2);
    return below ? below : 1;
}

static double smaller(double a, double b) { return a < b ? a : b; }

static int is_too_large(uint32_t size, uint32_t out) { return size > SNN_MOST_SHRUNK * out; }

int snn_fit_picture(const snn_frame_t *frame, const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels, uint8_t *input) {
    picture_t picture = {pixels, width, channels, frame->channels};
    uint32_t out_width = frame->width, out_height = frame->height;
    if ((channels != 1 && channels != 3) || width == 0 || height == 0) return -1;
    double scale_x = (double)out_width / width, scale_y = (double)out_height / height, most = smaller(scale_x, scale_y);
    double left = 0, top = 0, right = width, bottom = height;
    if (frame->fit == SNN_CROP) {
        double larger = scale_x < scale_y ? scale_y : scale_x, wide = out_width / larger, high = out_height / larger;
        left = (width - wide) / 2, top = (height - high) / 2;
        right = smaller(width, left + wide), bottom = smaller(height, top + high);
        left = left < 0 ? 0 : left, top = top < 0 ? 0 : top;
    }
    if (frame->fit == SNN_PAD && (width != out_width || height != out_height)) {
        uint32_t inner_width = nearest(product(width, most)), inner_height = nearest(product(height, most));
        if (is_too_large(width, inner_width) || is_too_large(height, inner_height)) return -1;
        for (uint32_t i = 0; i < out_width * out_height * frame->channels; i++) input[i] = 128;
        input += ((out_height - inner_height) / 2 * out_width + (out_width - inner_width) / 2) * frame->channels;
        out_width = inner_width, out_height = inner_height;
    }
    if (is_too_large(width, out_width) || is_too_large(height, out_height)) return -1;
    side_t along = side((float)left, (float)right, width, out_width), down = side((float)top, (float)bottom, height, out_height);
    resize(&picture, &along, &down, input, frame->width);
    return 0;
}
