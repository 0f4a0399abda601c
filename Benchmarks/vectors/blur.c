// A 1-2-1 filter along the rows of a grey image: bytes widened, summed, shifted, narrowed.

#include <stdint.h>
#include <stdio.h>

enum { width = 512, height = 64, rounds = 2000 };

static uint8_t image[height][width + 2], result[height][width + 2];

__attribute__((noinline)) static void blur(const uint8_t *restrict in, uint8_t *restrict out) {
    for (int i = 1; i <= width; i++) out[i] = (uint8_t)((in[i - 1] + 2 * in[i] + in[i + 1] + 2) >> 2);
}

int main(void) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width + 2; x++) image[y][x] = (uint8_t)(x * x + y * 31);
    for (int round = 0; round < rounds; round++) {
        for (int y = 0; y < height; y++) blur(image[y], result[y]);
        for (int y = 0; y < height; y++) blur(result[y], image[y]);
        image[round % height][round % width] ^= 0x55;
    }
    uint32_t sum = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width + 2; x++) sum = sum * 31 + image[y][x];
    printf("blur %u\n", sum);
}
