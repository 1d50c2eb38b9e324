/* Runs the network on the test vectors and compares every score with what the integer reference gave. */
#include "network.h"
#include "port.h"
#include "test_vectors.h"

static void give(const uint8_t *frame) {
    uint8_t *input = snn_input();
    for (uint32_t i = 0; i < SNN_FRAME_BYTES; i++) input[i] = frame[i];
}

int main(void) {
    uint32_t equal = 0;
    port_paint_stack();
    for (uint32_t image = 0; image < TEST_IMAGES; image++) {
        const uint8_t *frame = test_frames + image * SNN_FRAMES * SNN_FRAME_BYTES;
        uint64_t instructions = 0;
        give(frame);
        port_start_counting();
        snn_start();
        instructions += port_count();
        for (int t = 0; t < SNN_TIMESTEPS; t++) {
            if (SNN_FRAMES > 1) {
                give(frame);
                frame += SNN_FRAME_BYTES;
            }
            port_start_counting();
            snn_step();
            instructions += port_count();
        }
        port_start_counting();
        const int32_t *scores = snn_finish();
        instructions += port_count();
        uint32_t same = 1, best = 0;
        for (uint32_t c = 0; c < SNN_CLASSES; c++) {
            if (scores[c] != test_scores[image * SNN_CLASSES + c]) same = 0;
            if (scores[c] > scores[best]) best = c;
        }
        equal += same;
        port_number("class", best);
        port_number("equal", same);
        if (instructions) port_number("instructions_by_16", (uint32_t)(instructions / 16));
    }
    uint32_t stack = port_stack_bytes();
    if (stack) port_number("stack_bytes", stack);
    port_number("images", TEST_IMAGES);
    port_number("images_equal", equal);
    return equal == TEST_IMAGES ? 0 : 1;
}
