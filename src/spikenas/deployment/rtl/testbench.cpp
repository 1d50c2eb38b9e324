// Runs a program on a core in RTL: loads an ELF file into memory, drives the clock, and passes on what is printed.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "Vmachine.h"
#include "Vmachine__Dpi.h"
#include "verilated.h"

static constexpr uint32_t PRINT = 0xF0000000, LEAVE = 0xF0000004; // a character; the status of the program

struct Region {
    uint32_t start;
    std::vector<uint32_t> words;
};

static Region regions[] = {
    {0x10000080, std::vector<uint32_t>(1 << 20)}, // flash, from the first instruction on
    {0x20000000, std::vector<uint32_t>(1 << 20)}, // RAM
    {0x40000000, std::vector<uint32_t>(2 << 20)}, // what only the test needs
};
static bool running = true;
static int status = 0;

static uint32_t *word_at(uint32_t address) {
    for (Region &region : regions) {
        const uint32_t index = (address - region.start) / 4;
        if (address >= region.start && index < region.words.size()) return &region.words[index];
    }
    return nullptr;
}

static void stop(const char *what, uint32_t address) {
    if (running) std::fprintf(stderr, "%s 0x%08x, where there is no memory\n", what, address);
    running = false;
    status = 3;
}

int memory_read(int at) {
    const uint32_t address = static_cast<uint32_t>(at);
    if (const uint32_t *word = word_at(address)) return static_cast<int>(*word);
    stop("reads", address);
    return 0;
}

void memory_write(int at, int value, int bytes) {
    const uint32_t address = static_cast<uint32_t>(at);
    if (address == PRINT) {
        std::putchar(value & 0xFF);
    } else if (address == LEAVE) {
        status = value;
        running = false;
    } else if (uint32_t *word = word_at(address)) {
        for (int byte = 0; byte < 4; byte++) {
            const uint32_t mask = 0xFFu << (8 * byte);
            if (bytes >> byte & 1) *word = (*word & ~mask) | (static_cast<uint32_t>(value) & mask);
        }
    } else {
        stop("writes", address);
    }
}

static uint32_t number(const std::string &file, size_t at, size_t bytes) {
    uint32_t value = 0;
    if (at + bytes <= file.size()) std::memcpy(&value, &file[at], bytes);
    return value;
}

static bool load(const char *name) { // every segment of a 32-bit little-endian ELF file, at its load address
    std::ifstream stream(name, std::ios::binary);
    const std::string file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (file.compare(0, 5, "\177ELF\1") != 0) return false;
    const uint32_t table = number(file, 28, 4), entry = number(file, 42, 2), entries = number(file, 44, 2);
    for (uint32_t i = 0; i < entries; i++) {
        const size_t header = table + static_cast<size_t>(i) * entry;
        const uint32_t offset = number(file, header + 4, 4), to = number(file, header + 12, 4);
        const uint32_t bytes = number(file, header + 16, 4);
        if (number(file, header, 4) != 1) continue;
        for (uint32_t at = 0; at < bytes; at++) {
            uint32_t *word = word_at(to + at);
            if (!word || offset + at >= file.size()) return false;
            reinterpret_cast<char *>(word)[(to + at) % 4] = file[offset + at];
        }
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc != 2 || !load(argv[1])) {
        std::fprintf(stderr, "no program for this memory\n");
        return 2;
    }
    const auto context = std::make_unique<VerilatedContext>();
    const auto machine = std::make_unique<Vmachine>(context.get());
    for (uint64_t cycle = 0; running; cycle++) {
        machine->reset = cycle < 8;
        machine->clock = 0;
        machine->eval();
        machine->clock = 1;
        machine->eval();
    }
    machine->final();
    return status;
}
