// 32-bit logic and rotations: SHA-256 over a long message.

#include <stdint.h>
#include <stdio.h>

enum { blockCount = 80000 };

typedef unsigned __int128 Wide;

static uint32_t constants[64], state[8];

// The first 32 bits behind the point of a square or cube root, found by bisection.
static uint32_t rootFraction(unsigned number, int degree) {
    Wide low = 0, high = (Wide)1 << 36;
    while (high - low > 1) {
        Wide middle = (low + high) / 2;
        Wide power = degree == 2 ? middle * middle : middle * middle * middle;
        if (power > (Wide)number << 32 * degree) high = middle;
        else low = middle;
    }
    return (uint32_t)low;
}

static void prepare(void) {
    int count = 0;
    for (unsigned number = 2; count < 64; number++) {
        int isPrime = 1;
        for (unsigned divisor = 2; divisor * divisor <= number; divisor++)
            isPrime &= number % divisor != 0;
        if (!isPrime) continue;
        if (count < 8) state[count] = rootFraction(number, 2);
        constants[count++] = rootFraction(number, 3);
    }
}

static uint32_t rotate(uint32_t word, int count) {
    return word >> count | word << (32 - count);
}

static void compress(const uint8_t *block) {
    uint32_t words[64];
    for (int i = 0; i < 16; i++) {
        const uint8_t *bytes = block + 4 * i;
        words[i] = (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t x = words[i - 15], y = words[i - 2];
        uint32_t s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >> 3;
        uint32_t s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >> 10;
        words[i] = words[i - 16] + s0 + words[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + words[i];
        uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

int main(void) {
    prepare();
    uint8_t block[64];
    for (int i = 0; i < 64; i++) block[i] = 'a';
    for (int i = 0; i < blockCount; i++) compress(block);
    uint64_t bits = (uint64_t)blockCount * 512;
    for (int i = 0; i < 64; i++) block[i] = i == 0 ? 0x80 : i < 56 ? 0 : bits >> 8 * (63 - i);
    compress(block);
    printf("sha256 ");
    for (int i = 0; i < 8; i++) printf("%08x", state[i]);
    printf("\n");
}
