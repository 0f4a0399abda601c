// Bulk memory: blocks of all sizes are filled, copied, moved over themselves and compared.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { size = 4 << 20, rounds = 400 };

static unsigned char from[size], to[size];

int main(void) {
    uint32_t sum = 0, random = 5;
    for (int round = 0; round < rounds; round++) {
        memset(from, round + 1, size);
        memcpy(to, from, size);
        memmove(to + 4096, to, size - 4096);
        for (int i = 0; i < 4000; i++) {
            random = random * 1664525 + 1013904223;
            uint32_t length = random >> 24, at = random >> 4 & 0xfffff;
            memset(to + at, (int)(random >> 16), length);
            memcpy(from + at / 2, to + at, length);
        }
        sum = sum * 31 + from[random >> 12] + to[random >> 11];
    }
    printf("bulk %08x\n", sum);
}
