// Input for the compressors and the regular expressions: text of made-up words with a natural
// distribution, numbers, and stretches of binary data. The same bytes on every machine.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t corpus_state = 2463534242u;

static uint32_t corpus_random(uint32_t below) {
    corpus_state ^= corpus_state << 13;
    corpus_state ^= corpus_state >> 17;
    corpus_state ^= corpus_state << 5;
    return (uint32_t)(((uint64_t)corpus_state * below) >> 32);
}

static unsigned char *corpus(size_t size) {
    enum { WORDS = 4096, LENGTH = 12 };
    static char words[WORDS][LENGTH + 1];
    static const char *syllables[] = {
        "ta", "re", "mi", "son", "ver", "al", "du", "in", "es", "po", "ker", "len", "sha", "ou", "ing", "er",
    };
    for (int i = 0; i < WORDS; i++) {
        for (int n = 1 + (int)corpus_random(4); n > 0; n--) {
            const char *syllable = syllables[corpus_random(16)];
            if (strlen(words[i]) + strlen(syllable) <= LENGTH)
                strcat(words[i], syllable);
        }
    }
    unsigned char *text = malloc(size);
    size_t at = 0, column = 0;
    while (at < size) {
        char piece[64];
        uint32_t kind = corpus_random(1000);
        if (kind < 940) {
            // Small indices are common: the minimum of three throws.
            uint32_t a = corpus_random(WORDS), b = corpus_random(WORDS), c = corpus_random(WORDS);
            uint32_t least = a < b ? a : b;
            snprintf(piece, sizeof piece, "%s ", words[least < c ? least : c]);
        } else if (kind < 990) {
            snprintf(piece, sizeof piece, "%u.%02u, ", (unsigned)corpus_random(10000), (unsigned)corpus_random(100));
        } else if (kind < 998) {
            snprintf(piece, sizeof piece, "%s@%s.org ", words[corpus_random(WORDS)], words[corpus_random(64)]);
        } else {
            for (int i = 0; i < 63; i++)
                piece[i] = (char)(1 + corpus_random(255));
            piece[63] = 0;
        }
        size_t length = strlen(piece);
        if (length > size - at)
            length = size - at;
        memcpy(text + at, piece, length);
        at += length;
        column += length;
        if (column > 72 && at < size) {
            text[at++] = '\n';
            column = 0;
        }
    }
    return text;
}

static uint32_t checksum(const unsigned char *bytes, size_t size) {
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

// What the compressors print: the sizes, the sum of what was compressed, and whether it came back.
static int report(
    const unsigned char *text, size_t size, const unsigned char *packed, size_t packed_size,
    const unsigned char *back
) {
    int same = memcmp(text, back, size) == 0;
    printf("%zu -> %zu, %08x, %s\n", size, packed_size, (unsigned)checksum(packed, packed_size),
        same ? "the same again" : "DIFFERENT");
    return !same;
}

// The first argument in units of 100 KB.
static size_t corpus_size(int argc, char **argv) {
    return (size_t)(argc > 1 ? atoi(argv[1]) : 1) * 100000;
}
