// Products of 16-bit integers summed in 32 bits, as in audio and in small neural networks.

#include <stdint.h>
#include <stdio.h>

enum { count = 4096, rounds = 48000 };

static int16_t a[count], b[count];

__attribute__((noinline)) static int32_t dot(const int16_t *a, const int16_t *b) {
    int32_t sum = 0;
    for (int i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

int main(void) {
    for (int i = 0; i < count; i++) {
        a[i] = (int16_t)(i * 7919 % 301 - 150);
        b[i] = (int16_t)(i * 104729 % 211 - 105);
    }
    uint32_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        a[round % count] += 1;
        sum = sum * 31 + (uint32_t)dot(a, b);
    }
    printf("dot %u\n", sum);
}
