// Two loads, a multiplication, an addition and a store of f32 per element.

#include <stdio.h>

enum { count = 4096, rounds = 48000 };

static float x[count], y[count];

__attribute__((noinline)) static void saxpy(float a, const float *restrict x, float *restrict y) {
    for (int i = 0; i < count; i++) y[i] += a * x[i];
}

int main(void) {
    for (int i = 0; i < count; i++) {
        x[i] = (float)(i % 17 - 8);
        y[i] = (float)(i % 5);
    }
    // Small integers: exact in any order.
    for (int round = 0; round < rounds; round++) saxpy(round % 3 - 1, x, y);
    double sum = 0;
    for (int i = 0; i < count; i++) sum += y[i] * (i % 7);
    printf("saxpy %.1f\n", sum);
}
