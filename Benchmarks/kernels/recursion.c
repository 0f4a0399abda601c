// Deep and mutual recursion with several parameters: Ackermann's function, Takeuchi's, and queens.

#include <stdint.h>
#include <stdio.h>

__attribute__((noinline)) static uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

__attribute__((noinline)) static int tak(int x, int y, int z) {
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

__attribute__((noinline)) static int queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
    if (columns == all) return 1;
    int found = 0;
    for (uint32_t free = all & ~(columns | left | right); free;) {
        uint32_t bit = free & -free;
        free ^= bit;
        found += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return found;
}

int main(void) {
    uint32_t a = 0;
    for (int i = 0; i < 300; i++) a += ackermann(2, 150 + (uint32_t)i);
    printf("recursion %u %d %d\n", a, tak(22, 14, 6), queens((1 << 13) - 1, 0, 0, 0));
}
