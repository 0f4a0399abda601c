// Blends two images of bytes with a weight each: products of 16 bits, halves, saturation.

#include <stdint.h>
#include <stdio.h>

enum { count = 16384, rounds = 10000 };

static uint8_t front[count], back[count], alpha[count];

__attribute__((noinline)) static void blend(
    const uint8_t *restrict front, uint8_t *restrict back, const uint8_t *restrict alpha) {
    for (int i = 0; i < count; i++) {
        uint16_t sum = (uint16_t)(front[i] * alpha[i] + back[i] * (255 - alpha[i]));
        back[i] = (uint8_t)((uint16_t)(sum + 128) >> 8);
    }
}

int main(void) {
    for (int i = 0; i < count; i++) {
        front[i] = (uint8_t)(i * 13);
        back[i] = (uint8_t)(i * 7);
        alpha[i] = (uint8_t)(i * 3);
    }
    for (int round = 0; round < rounds; round++) {
        front[round % count] ^= (uint8_t)round;
        blend(front, back, alpha);
    }
    uint32_t sum = 0;
    for (int i = 0; i < count; i++) sum = sum * 31 + back[i];
    printf("blend %u\n", sum);
}
